"""Rasa: its action server's protocol, and its REST and socket.io channels for front ends made for Rasa."""
