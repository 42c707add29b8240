"""The chat template of tuned models: ChatML, as Qwen speaks it, and nothing besides.

Training renders with it and saves it into the model's folder, where vLLM finds it: so both see the same tokens.
`{% generation %}` marks what is trained on, the end token included. Qwen3's own template puts an empty
`<think>` block before the last answer only, which a continued message and a later turn would not share.
"""

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{% else %}"
    "{{ message['content'] + '<|im_end|>' }}"
    "{% endif %}"
    "{{ '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
