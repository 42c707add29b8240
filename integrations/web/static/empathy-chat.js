// <empathy-chat>: write a long post, read a considered reply.
//
//   <script type="module" src="https://your-host/widget.js"></script>
//   <empathy-chat lang="zh" region="CN" theme="auto"></empathy-chat>
//
// Attributes: server (default: where this file came from), lang (zh | en; default: the browser's), region (ISO
// country for help lines), theme (light | dark | auto), heading. Colours and fonts: the --empathy-* variables below.
// Property session: {session_id, token, disclosures} of a session that the host's own server has opened; else the
// element opens one. Events, without content: empathy-safety {level}, empathy-reply {turn}. No build step, no inline style or script.

const CSS = `
:host {
  color-scheme: light dark; display: block; min-height: 22rem; container-type: inline-size;
  --paper: var(--empathy-paper, light-dark(#faf8f3, #171b1a));
  --sheet: var(--empathy-sheet, light-dark(#fffefb, #1f2423));
  --ink: var(--empathy-ink, light-dark(#27302d, #e4e8e3));
  --soft: var(--empathy-soft, light-dark(#5b6661, #a4aea9));
  --line: var(--empathy-line, light-dark(#e3dfd5, #353c3a));
  --accent: var(--empathy-accent, light-dark(#2f6b5e, #93cdbb));
  --on-accent: var(--empathy-on-accent, light-dark(#ffffff, #10211c));
  --tint: var(--empathy-tint, light-dark(#edf1ea, #242d2a));
  --care: var(--empathy-care, light-dark(#fdf0e4, #33291f));
  --care-ink: var(--empathy-care-ink, light-dark(#7a3e12, #f3c9a1));
  --sans: var(--empathy-font, system-ui, -apple-system, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif);
  --serif: var(--empathy-reply-font, "Iowan Old Style", Charter, Georgia, "Songti SC", "Noto Serif CJK SC", serif);
}
:host([theme=light]) { color-scheme: light } :host([theme=dark]) { color-scheme: dark } :host([hidden]) { display: none }
* { box-sizing: border-box }
button, textarea { font: inherit; color: inherit }
button { cursor: pointer; touch-action: manipulation }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
[hidden] { display: none !important }
.app { height: 100%; display: flex; flex-direction: column; background: var(--paper); color: var(--ink);
  font: 1rem/1.75 var(--sans); text-autospace: normal; overflow: hidden }
.column { width: 100%; max-width: 44rem; margin-inline: auto;
  padding-inline: max(1.15rem, env(safe-area-inset-left)) max(1.15rem, env(safe-area-inset-right)) }
header { padding-block: max(.7rem, env(safe-area-inset-top)) .7rem; display: flex; align-items: center; gap: .35rem }
header h1 { margin: 0; margin-inline-end: auto; display: flex; align-items: center; gap: .6rem; font-size: .95rem; font-weight: 600 }
svg { width: 1.25em; height: 1.25em; display: block; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round }
.mark { display: grid; place-items: center; width: 2rem; height: 2rem; border-radius: 50%; background: var(--accent); color: var(--on-accent) }
.plain { border: 0; background: none; padding: .5rem .75rem; min-height: 2.75rem; min-width: 2.75rem; border-radius: 1.4rem; font-size: .9rem; display: inline-grid; place-items: center }
.plain:hover { background: var(--tint) }
.help { color: var(--care-ink); background: var(--care); font-weight: 500; min-height: 2.5rem; padding-block: .3rem }
.help:hover { background: color-mix(in srgb, var(--care), var(--care-ink) 12%) }
main { flex: 1 1 auto; min-height: 0; mask-image: linear-gradient(transparent, #000 .8rem, #000 calc(100% - 1.4rem), transparent); overflow-y: auto; overscroll-behavior: contain; scrollbar-width: thin }
main:focus-visible { outline-offset: -3px }
svg.more { stroke-width: 3 }
.hello { padding-block: clamp(.5rem, 6cqh, 4rem) 1.25rem }
.hello h2 { margin: 0 0 .4em; font: 500 clamp(1.6rem, 6cqi, 2.15rem)/1.35 var(--serif); letter-spacing: -.005em; text-wrap: balance }
.hello p { margin: 0; color: var(--soft); max-width: 34em; text-wrap: pretty }
.turn { padding-block: 1.1rem 1.4rem }
.turn + .turn { border-block-start: 1px solid var(--line) }
.post { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--tint); border-radius: 1.15rem; padding: .9rem 1.15rem; font-size: .97rem }
.post.folded { max-height: 13.5em; overflow: hidden; mask-image: linear-gradient(#000 70%, transparent) }
.reply { font: 1.1rem/1.95 var(--serif); margin-block: 1.5rem .6rem; padding-inline: .2rem }
.reply p { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 0 .85em }
.foot { display: flex; flex-wrap: wrap; align-items: center; gap: .15rem .5rem; font-size: .88rem; color: var(--soft) }
.foot p { margin: .3rem 0 }
.link { border: 0; background: none; padding: .45rem .2rem; min-height: 2.5rem; color: var(--accent); text-decoration: underline; text-underline-offset: .25em; text-decoration-thickness: 1px }
.going { display: flex; align-items: center; gap: .8rem; margin-block: 1.4rem .4rem; color: var(--soft); font-size: .95rem }
.dots { display: inline-flex; gap: .34rem } .dots i { width: .5rem; height: .5rem; border-radius: 50%; background: var(--line) }
.dots i.done { background: var(--accent) } .dots i.at { background: var(--accent); animation: breathe 2.4s ease-in-out infinite }
@keyframes breathe { 50% { opacity: .25; transform: scale(.75) } }
.note { margin-block: 1rem; padding-inline-start: .9rem; border-inline-start: 3px solid var(--line); color: var(--soft); font-size: .9rem; white-space: pre-wrap }
.card { margin-block: 1.1rem; padding: 1.1rem 1.2rem 1.2rem; border-radius: 1.15rem; background: var(--care) }
.card h2 { margin: 0 0 .5rem; font: 600 1.05rem/1.6 var(--sans); color: var(--care-ink) }
.card ul { list-style: none; margin: 0; padding: 0; display: grid; gap: .75rem }
.card li { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: .4rem 1rem }
.card b { display: block; font-weight: 600; line-height: 1.4 } .card small { display: block; font-size: .86rem; line-height: 1.5 }
.card p { margin: .9rem 0 0 }
.call { display: inline-flex; align-items: center; gap: .5rem; min-height: 2.9rem; padding: .45rem 1.15rem; border-radius: 1.5rem; background: var(--care-ink); color: var(--care); font-weight: 600; text-decoration: none; white-space: nowrap }
.card a:not(.call), .card .link { color: var(--care-ink) } .card .link { padding-inline: 0 }
.urgent { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem .7rem }
details.chain { width: 100%; font-size: .9rem } .chain summary { cursor: pointer; padding-block: .5rem }
.chain dl { margin: .2rem 0 .6rem; padding: .9rem 1.1rem; background: var(--tint); border-radius: 1rem }
.chain dt { font-weight: 600 } .chain dd { margin: 0 0 .6rem; white-space: pre-wrap }
.desk { flex: 0 0 auto; padding-block: .4rem max(.55rem, env(safe-area-inset-bottom)) }
.sheet { display: flex; flex-direction: column; background: var(--sheet); border: 1px solid var(--line); border-radius: 1.4rem; box-shadow: 0 6px 28px -18px light-dark(#4a4436, #000); transition: border-color .2s }
.sheet:has(textarea:focus) { border-color: var(--accent); outline: 1px solid var(--accent) } .sheet textarea:focus-visible { outline: 0 }
textarea { display: block; width: 100%; resize: none; border: 0; outline: 0; background: none; line-height: 1.75; padding: .95rem 1.15rem .2rem; min-height: 3.2rem; max-height: 46dvh; max-height: min(46dvh, 60cqh) }
textarea::placeholder { color: var(--soft); opacity: 1 }
.tools { display: flex; align-items: center; justify-content: flex-end; gap: .5rem; padding: .2rem .5rem .5rem 1.15rem; min-height: 3.2rem }
.tools p { margin: 0; margin-inline-end: auto; font-size: .8rem; line-height: 1.4; color: var(--soft) } .tools p.over { color: var(--care-ink); font-weight: 600 }
.round { width: 2.75rem; height: 2.75rem; flex: none; border-radius: 50%; border: 1px solid transparent; display: grid; place-items: center; background: var(--accent); color: var(--on-accent) }
.round.stop { background: none; border-color: var(--line); color: var(--ink) } .round.stop svg { fill: currentColor; width: .9em }
.round:disabled { background: var(--tint); color: var(--soft); cursor: default }
.truth { margin: .5rem 0 0; text-align: center; font-size: .8rem; line-height: 1.5; color: var(--soft); text-wrap: balance } .truth a { color: inherit }
.blank main { flex: 0 1 auto } .blank .desk { flex: 1 1 auto; min-height: 0; display: flex; flex-direction: column } .blank .sheet { flex: 0 1 24rem; min-height: 8rem } .blank textarea { flex: 1; max-height: none; font-size: 1.06rem; line-height: 1.9 }
dialog { width: min(36rem, 100% - 2rem); max-height: 88dvh; overflow-y: auto; border: 0; border-radius: 1.4rem; padding: 1.5rem; background: var(--sheet); color: var(--ink); font: 1rem/1.75 var(--sans); box-shadow: 0 24px 80px -24px #0007 }
dialog::backdrop { background: light-dark(#2a302d66, #000a) }
dialog h2 { margin: 0 0 .5rem; font: 500 1.4rem/1.4 var(--serif) } dialog p { margin: .4rem 0 1rem } dialog label { display: block; margin-block-start: 1.1rem; font-size: .92rem; font-weight: 600; line-height: 1.5 } label small { display: block; font-weight: 400; color: var(--soft) }
dialog textarea { margin-block-start: .35rem; font-weight: 400; padding: .6rem .8rem; border: 1px solid var(--soft); border-radius: .8rem; background: var(--paper); min-height: 4.4rem }
dialog label.check { display: flex; gap: .6rem; font-weight: 400; align-items: center } .check input { width: 1.2rem; height: 1.2rem; accent-color: var(--accent) }
.row { display: flex; flex-wrap: wrap; justify-content: flex-end; gap: .6rem; margin-block-start: 1.4rem }
.solid { border: 0; border-radius: 1.4rem; min-height: 2.75rem; padding: .5rem 1.3rem; background: var(--accent); color: var(--on-accent); font-weight: 500 } .solid.grave { background: var(--care-ink); color: var(--care) }
.breath { width: 9rem; height: 9rem; margin: 2rem auto; border-radius: 50%; background: radial-gradient(circle, var(--accent), var(--tint)); animation: air 10s ease-in-out infinite } @keyframes air { 0%, 100% { transform: scale(.6) } 40%, 50% { transform: scale(1) } }
[popover] { margin: 0; inset: auto; position: fixed; border: 1px solid var(--line); border-radius: 1.1rem; padding: .4rem; background: var(--sheet); color: var(--ink); font: .95rem/1.5 var(--sans); box-shadow: 0 18px 50px -22px #0008 }
[popover] button { display: block; width: 100%; text-align: start; border: 0; background: none; border-radius: .8rem; padding: .6rem .95rem; min-height: 2.75rem } [popover] button:hover { background: var(--tint) }
.aside { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
@container (max-width: 30rem) { header h1 span:last-child { display: none } .reply { font-size: 1.06rem } .hint { display: none } }
@media (max-width: 30rem) { dialog { width: 100%; max-width: none; margin-block-end: 0; border-end-start-radius: 0; border-end-end-radius: 0; padding-block-end: max(1.5rem, env(safe-area-inset-bottom)) } }
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; scroll-behavior: auto !important } }
@media (forced-colors: active) { .round, .solid, .call, .plain { border: 1px solid } .dots i { border: 1px solid } .dots i.done { background: Highlight } }
`;

const WORDS = {
  zh: {
    hello: "今天，想说点什么？", gently: "写多长都可以，乱一点也没关系。慢慢写，我会把它读完，再回你。",
    place: "从哪里开始都行……", more: "还想说点什么……", label: "写下你想说的话", send: "发送", stop: "停下",
    keys: "Enter 发送，Shift+Enter 换行", left: n => n < 0 ? `超出 ${-n} 个字，可以分几次发` : `还可以写 ${n} 个字`,
    truth: "这里回复你的是 AI，不是真人，也不能代替医生和咨询师。", protocol: "危机应对说明",
    help: "求助热线", menu: "更多", language: "English", talk: "对话",
    plan: "我的安全计划", export: "导出我的数据", erase: "删除我的数据", pause: "歇一会儿", dark: "换个明暗",
    sending: "正在送出……", accepted: "正在读你写的……", emotion: "在想这一切是怎么来的……",
    cause: "在想你此刻需要什么……", intention: "正在写给你……", lost: "连接断了，正在重连。你写的都还在。", busy: "这会儿人有点多，马上再试。",
    stopped: "已停下。", failed: "这次没能回复。", again: "再试一次", edit: "放回去改改", unfold: "展开全文", fold: "收起", copy: "复制回复", copied: "已复制",
    joined: "这段和后面那段一起回复了，请看下面。", made: "（以上内容由 AI 生成）", fixed: "这是一段事先写好的话：模型这会儿没能写出回复。", fresh: "之前的对话已经不在了，这里是新的开始。",
    card: "现在就可以找人说说", mild: "如果想找人说说", urgent: "如果眼下就有危险，请打：", local: "如果眼下就有危险，请打当地的急救或报警电话。",
    call: n => `拨打 ${n}`, text: n => `短信 ${n}`, abroad: "查找其他国家和地区的热线", site: "网站", close: "关闭",
    chain: "这条回复是怎么想出来的", parts: { emotion: "情绪", cause: "原因", intention: "需要", strategy: "回应思路" },
    breathe: "歇一会儿", breathing: "跟着圆圈，慢慢吸气，再慢慢呼气。站起来走走，喝口水，也很好。你写的都会留着。",
    sure: "删除我的数据？", gone: "这里的全部对话会从服务器上永久删除，无法恢复。", too: "也删掉存在这台设备上的安全计划", yes: "永久删除", no: "先不删",
    erased: "已经全部删除。", erasing: "没能删除，请稍后再试。", exporting: "没能导出，请稍后再试。",
    planning: "趁心里还平静的时候写下来，难受的时候照着做。它只存在这台设备上，不会发送给任何人。", print: "打印", wipe: "清空",
  },
  en: {
    hello: "What is on your mind today?", gently: "As long as you like, as messy as it comes. Take your time: it will be read to the end before you get an answer.",
    place: "Start anywhere…", more: "Is there more you want to say?", label: "Write what is on your mind", send: "Send", stop: "Stop",
    keys: "Enter to send, Shift+Enter for a new line", left: n => n < 0 ? `${-n} characters too many: you can send it in parts` : `${n} characters left`,
    truth: "You are talking with an AI, not a person. It cannot replace a doctor or a therapist.", protocol: "How we handle a crisis",
    help: "Help lines", menu: "More", language: "中文", talk: "Conversation",
    plan: "My safety plan", export: "Export my data", erase: "Erase my data", pause: "Take a break", dark: "Switch light and dark",
    sending: "Sending…", accepted: "Reading what you wrote…", emotion: "Thinking about how it came to this…",
    cause: "Thinking about what you need…", intention: "Writing to you…", lost: "The connection dropped; reconnecting. Nothing you wrote is lost.", busy: "It is busy right now; trying again shortly.",
    stopped: "Stopped.", failed: "There is no reply this time.", again: "Try again", edit: "Put it back to edit", unfold: "Show all", fold: "Show less", copy: "Copy reply", copied: "Copied",
    joined: "Answered together with what you wrote next, below.", made: "(The above was generated by an AI.)", fixed: "These words were written beforehand: the model could not write a reply just now.", fresh: "The earlier conversation is no longer there. This is a new start.",
    card: "You can reach someone right now", mild: "When you want to talk to somebody", urgent: "If you are in danger right now, call:", local: "If you are in danger right now, call your local emergency number.",
    call: n => `Call ${n}`, text: n => `Text ${n}`, abroad: "Find a line in another country", site: "Website", close: "Close",
    chain: "How this reply came about", parts: { emotion: "Feeling", cause: "Cause", intention: "Need", strategy: "Approach" },
    breathe: "Take a break", breathing: "Follow the circle: breathe in slowly, and slowly out. Standing up or a glass of water helps too. What you wrote stays here.",
    sure: "Erase my data?", gone: "The whole conversation will be deleted from the server for good. It cannot be brought back.", too: "Also delete the safety plan kept on this device", yes: "Erase for good", no: "Keep it",
    erased: "Everything has been erased.", erasing: "It could not be erased. Please try again later.", exporting: "It could not be exported. Please try again later.",
    planning: "Write it while things are calm, follow it when they are not. It stays on this device and is sent to nobody.", print: "Print", wipe: "Clear",
  },
};

const ICONS = {
  leaf: "M6 13.200c0-4.300 3-7.200 7.200-7.200h4.800v4.800c0 4.200-2.900 7.200-7.200 7.200-1.300 0-2.400-.3-3.200-.9M6.500 18.500c1.200-3.300 3.600-5.700 6.900-7.400",
  up: "M12 19V5m-6 6 6-6 6 6", stop: "M6 6h12v12H6z", more: "M5 12h.01M12 12h.01M19 12h.01",
  letter: "M4 5h16v11H9.500L5 20v-4H4z", phone: "M6 4h3l1.500 4-2 1.500a11 11 0 0 0 6 6l1.500-2 4 1.500v3a2 2 0 0 1-2 2A15 15 0 0 1 4 6a2 2 0 0 1 2-2",
};
const STAGES = ["emotion", "cause", "intention"];
const SILENCE = 40_000; // ms without a byte, keep-alive comments included, after which a stream counts as dropped
const FOLD = 700; // characters above which a sent post is folded

/** Builds an element; `on*` properties are listeners, text is only ever text. */
function h(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value != null && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter(child => child != null && child !== false));
  return node;
}

function icon(name) {
  const [svg, path] = ["svg", "path"].map(tag => document.createElementNS("http://www.w3.org/2000/svg", tag));
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  svg.classList.add(name);
  svg.append(path);
  return svg;
}

/** Where the person probably is, or null: a wrong country would show help lines that do not answer. */
function country() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
  const sure = { "Asia/Shanghai": "CN", "Asia/Urumqi": "CN", "Asia/Hong_Kong": "HK", "Asia/Taipei": "TW" }[zone];
  if (sure) return sure;
  const tongue = new Intl.Locale(navigator.language || "en").region;
  return zone.startsWith("America/") && ["US", "CA"].includes(tongue) ? tongue : null;
}

/** Keeps what must survive a reload; in memory where the browser forbids storage. */
class Shelf {
  #scope; #memory = {};
  constructor(scope) { this.#scope = `empathy-chat ${scope} `; }
  get(name) {
    try { return JSON.parse(localStorage.getItem(this.#scope + name)) ?? this.#memory[name]; } catch { return this.#memory[name]; }
  }
  set(name, value) {
    this.#memory[name] = value ?? undefined;
    try { value == null ? localStorage.removeItem(this.#scope + name) : localStorage.setItem(this.#scope + name, JSON.stringify(value)); } catch { /* full or forbidden: memory serves until the page closes */ }
  }
}

/** A refusal by the server. `passing` ones are worth another try with the same key. */
class Refusal extends Error {
  constructor(status, title, code, after) { super(title); Object.assign(this, { status, code, after, passing: status === 429 || status >= 500 }); }
}

/** The events of a server-sent stream. */
async function* events(body, alive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    alive();
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const data = block.split("\n").filter(line => line.startsWith("data:")).map(line => line.slice(5).trimStart()).join("\n");
      if (data) yield JSON.parse(data);
    }
  }
}

const rest = ms => new Promise(done => {
  const wake = () => { clearTimeout(timer); removeEventListener("online", wake); done(); };
  const timer = setTimeout(wake, ms);
  addEventListener("online", wake);
});

export class EmpathyChat extends HTMLElement {
  static observedAttributes = ["lang"];
  #turns = []; #help; #shelf; #live; #session; #limit = 8000; #ui = {}; #t; #lang; #opening; #given;

  connectedCallback() {
    this.#shelf = new Shelf(this.#server);
    this.#live = new AbortController();
    if (!this.shadowRoot) {
      const sheet = new CSSStyleSheet(); // a constructed sheet needs no style-src 'unsafe-inline'
      sheet.replaceSync(CSS);
      this.attachShadow({ mode: "open", delegatesFocus: true }).adoptedStyleSheets = [sheet];
      const shade = this.#shelf.get("theme");
      if (shade && !this.hasAttribute("theme")) this.setAttribute("theme", shade);
    }
    if (Object.hasOwn(this, "session")) { // set before this file had come
      const { session } = this;
      delete this.session;
      this.session = session;
    }
    this.#session = this.#given || this.#shelf.get("session");
    this.#shelf.set("session", this.#session);
    this.#speak();
    this.#learnHelp();
    this.#restore();
  }

  set session({ session_id: id, token, disclosures: notes }) {
    this.#given = { id, token, notes };
    if (!this.isConnected || !this.#t || this.#session?.id === id) return;
    this.#live.abort();
    this.#live = new AbortController();
    this.#shelf.set("pending", null);
    this.#session = this.#given;
    this.#shelf.set("session", this.#session);
    this.#speak();
    this.#restore();
  }

  disconnectedCallback() { this.#live.abort(); }
  attributeChangedCallback() {
    if (!this.isConnected || !this.#t) return;
    this.#speak();
    this.#learnHelp();
  }

  get #server() { return new URL(this.getAttribute("server") || ".", import.meta.url).href; }
  get #running() { return this.#turns.filter(turn => !turn.end); }

  // ---- server

  async #call(method, path, { body, headers, signal, whole } = {}) {
    const root = whole ? "" : `v1/sessions/${this.#session.id}`;
    const response = await fetch(this.#server + root + path, {
      method, cache: "no-store", credentials: "omit", signal: AbortSignal.any([this.#live.signal, signal].filter(Boolean)),
      headers: {
        "Accept-Language": this.#lang, ...(body && { "Content-Type": "application/json" }),
        ...(!whole && { Authorization: `Bearer ${this.#session.token}` }), ...headers,
      },
      body: body && JSON.stringify(body),
    });
    if (response.ok) return response;
    const problem = await response.json().catch(() => ({}));
    throw new Refusal(response.status, problem.title || this.#t.failed, problem.code, Number(response.headers.get("Retry-After")));
  }

  /** The session, opened with the first words typed rather than with the page. */
  #open() {
    if (this.#session) return Promise.resolve();
    return this.#opening ??= (async () => {
      const region = this.getAttribute("region") || country() || undefined;
      const made = await (await this.#call("POST", "v1/sessions", { whole: true, body: { locale: this.#lang, region } })).json();
      this.#session = { id: made.session_id, token: made.token, notes: made.disclosures };
      this.#shelf.set("session", this.#session);
      this.#showNotes();
    })().finally(() => { this.#opening = null; });
  }

  #showNotes() { this.#ui.notes.replaceChildren(...(this.#session?.notes || []).map(note => this.#note(note))); }

  /** Help lines, safety plan and limits; the last known ones serve while the server cannot be reached. */
  async #learnHelp() {
    const region = this.getAttribute("region") || country() || "";
    this.#help = this.#shelf.get(`help ${this.#lang}`) || this.#help;
    try {
      this.#help = await (await this.#call("GET", `v1/help?locale=${this.#lang}&region=${region}`, { whole: true })).json();
      this.#shelf.set(`help ${this.#lang}`, this.#help);
    } catch { /* kept from before, if ever */ }
    this.#limit = this.#help?.limits.max_post_chars ?? this.#limit;
    this.#count();
  }

  /** Brings back the conversation and whatever was under way when the page went. */
  async #restore() {
    this.#turns = (this.#shelf.get("pending") || []).map(({ key, id, text }) => ({ key, id, text, reply: "", notes: [], seq: 0 }));
    this.#list();
    for (let pause = 500; this.#session && !this.#live.signal.aborted; pause = Math.min(pause * 2, 15_000)) {
      try {
        const { turns } = await (await this.#call("GET", "")).json();
        const later = (at, text) => turns.slice(at + 1).some(turn => turn.post === text);
        const held = turns.filter((turn, at) => turn.status === "committed" || !turn.finished || !later(at, turn.post)).map(turn => ({
          key: turn.turn_id, id: turn.turn_id, text: turn.post, reply: turn.reply || "", card: turn.card, notes: turn.disclosures || [], joined: turn.joined_into, seq: 0,
          level: turn.level, chain: turn.chain, degraded: turn.degraded, end: turn.finished && turn.status,
        }));
        const [known, begun] = [turns.map(turn => turn.turn_id), this.#turns.filter(turn => turn.watch)];
        this.#turns = [...held.filter(turn => !begun.some(other => other.id === turn.id)), ...this.#turns.filter(turn => turn.watch || !known.includes(turn.id))];
        this.#say("");
        break;
      } catch (error) {
        if (error instanceof Refusal && !error.passing) {
          this.#forget(this.#t.fresh);
          this.#running.forEach(turn => { turn.id = undefined; });
        } else {
          this.#say(this.#t.lost);
          await rest(pause);
        }
      }
    }
    this.#list();
    this.#running.filter(turn => !turn.watch).forEach(turn => this.#follow(turn));
  }

  #list() {
    this.#ui.log.replaceChildren(...this.#turns.map(turn => this.#draw(turn, true)));
    this.#count();
    this.#ui.main.scrollTop = this.#ui.main.scrollHeight;
  }

  #forget(words) {
    this.#session = null;
    this.#shelf.set("session", null);
    if (!words) return;
    this.#ui.notes.replaceChildren(this.#note({ text: words }));
    this.#say(words);
  }

  #remember() { this.#shelf.set("pending", this.#running.map(({ key, id, text }) => ({ key, id, text }))); }

  // ---- a turn

  #send() {
    const text = this.#ui.input.value.toWellFormed();
    if (!text.trim() || [...text].length > this.#limit) return;
    this.#ui.input.value = "";
    this.#shelf.set("draft", null);
    this.#begin(text);
    this.#count();
    this.#ui.main.scrollTop = this.#ui.main.scrollHeight;
    if (matchMedia("(hover: none)").matches) this.#ui.input.blur();
  }

  #begin(text) {
    const turn = { key: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, text, reply: "", notes: [], seq: 0 };
    this.#turns.push(turn);
    this.#remember();
    this.#ui.log.append(this.#draw(turn));
    this.#follow(turn);
  }

  /** Follows a turn to its end over any number of connections: the key makes sending again harmless, the last
      event id makes listening again complete. */
  async #follow(turn) {
    for (let pause = 500, tries = 0; !turn.end && !this.#live.signal.aborted; tries++) {
      const watch = turn.watch = new AbortController();
      let timer;
      const alive = () => { clearTimeout(timer); timer = setTimeout(() => watch.abort(), SILENCE); };
      alive();
      try {
        await this.#open();
        const headers = { Accept: "text/event-stream" };
        const response = turn.id
          ? await this.#call("GET", `/turns/${turn.id}/events`, { signal: watch.signal, headers: { ...headers, "Last-Event-ID": String(turn.seq) } })
          : await this.#call("POST", "/turns", { signal: watch.signal, headers: { ...headers, "Idempotency-Key": turn.key }, body: { text: turn.text } });
        for await (const event of events(response.body, alive)) {
          pause = 500;
          tries = 0;
          this.#take(turn, event);
          if (turn.end) break;
        }
      } catch (error) {
        turn.why = error.status === 429 ? this.#t.busy : "";
        if (error.after) pause = error.after * 1000;
        if (error instanceof Refusal && !error.passing) {
          if ([401, 404].includes(error.status) && !turn.moved) {
            if (error.code !== "turn_not_found") this.#forget(this.#t.fresh);
            Object.assign(turn, { moved: true, id: undefined, seq: 0 });
            continue;
          }
          this.#finish(turn, "failed", error.message);
        }
      } finally {
        clearTimeout(timer);
        watch.abort();
      }
      if (turn.end || this.#live.signal.aborted) break;
      turn.lost = turn.why || this.#t.lost;
      if (tries > 1) turn.card ??= this.#help?.card; // nobody is left without a number because a server is down
      this.#draw(turn);
      await rest(pause * (.75 + Math.random() / 2));
      pause = Math.min(pause * 2, 15_000);
    }
  }

  #take(turn, event) {
    if (event.seq <= turn.seq) return;
    turn.seq = event.seq;
    const was = turn.lost;
    turn.lost = "";
    switch (event.type) {
      case "accepted":
        turn.id = event.turn_id === "unstored" ? undefined : event.turn_id; // answered while the database was down
        turn.stage = "accepted";
        this.#remember();
        if (turn.stopping) this.#stop(turn);
        break;
      case "stage":
        if (STAGES.includes(event.name)) turn.stage = event.name;
        break;
      case "safety":
        turn.level = event.level;
        turn.card = event.card || turn.card;
        turn.notes.push(...event.disclosures);
        this.dispatchEvent(new CustomEvent("empathy-safety", { detail: { level: event.level }, bubbles: true, composed: true }));
        break;
      case "token": {
        const first = !turn.reply;
        turn.reply = event.reset ? event.text : turn.reply + event.text;
        if (event.reset) turn.spoken = 0;
        if (first || was) break;
        this.#write(turn);
        this.#read(turn);
        return this.#keepDown(turn);
      }
      case "committed":
        Object.assign(turn, { reply: event.reply, chain: event.chain, degraded: event.degraded, joined: event.joined_into });
        return this.#finish(turn, "committed");
      case "failed":
        return this.#finish(turn, "failed", event.message);
      case "cancelled":
        return this.#finish(turn, "cancelled");
    }
    this.#draw(turn);
    if (!turn.reply) this.#say(this.#t[turn.stage] || "");
    this.#keepDown(turn);
  }

  #finish(turn, end, why) {
    Object.assign(turn, { end, why, lost: "" });
    this.#remember();
    this.#draw(turn);
    this.#count();
    if (end === "committed") {
      this.#read(turn, true);
      this.dispatchEvent(new CustomEvent("empathy-reply", { detail: { turn: turn.id }, bubbles: true, composed: true }));
    } else this.#say(why || this.#t[end === "failed" ? "failed" : "stopped"]);
    this.#keepDown(turn);
  }

  async #stop(turn) {
    turn.stopping = true;
    if (!turn.id && turn.lost) {
      this.#finish(turn, "cancelled");
      turn.watch.abort();
    }
    if (!turn.id) return;
    for (let tries = 0; tries < 5 && !turn.end; tries++) {
      try { return void await this.#call("POST", `/turns/${turn.id}/cancel`); }
      catch (error) { if (error instanceof Refusal && !error.passing) return; await rest(800 * 2 ** tries); }
    }
  }

  #again(turn, edit) {
    this.#turns = this.#turns.filter(other => other !== turn);
    turn.el.remove();
    if (!edit) return this.#begin(turn.text);
    const { input } = this.#ui;
    input.value = [turn.text, input.value].filter(Boolean).join("\n\n");
    this.#shelf.set("draft", input.value);
    this.#count();
    input.focus();
  }

  // ---- what is seen

  /** Draws everything in the chosen language. */
  #speak() {
    const wish = this.getAttribute("lang") || this.#shelf.get("lang") || navigator.language || "en";
    this.#lang = wish.toLowerCase().startsWith("zh") ? "zh" : "en";
    const t = this.#t = WORDS[this.#lang];
    const typed = this.#ui.input?.value ?? this.#shelf.get("draft") ?? "";
    const ui = this.#ui = {
      input: h("textarea", { id: "post", rows: 1, dir: "auto", "aria-label": t.label, "aria-describedby": "count truth", enterkeyhint: "enter",
        oninput: () => this.#typed(), onkeydown: event => this.#key(event) }),
      count: h("p", { id: "count", class: "hint" }), status: h("div", { class: "aside", role: "status" }),
      voice: h("div", { class: "aside", "aria-live": "polite", "aria-atomic": "false" }),
      send: h("button", { class: "round", type: "button", "aria-label": t.send, title: t.send, onclick: () => this.#send() }, icon("up")),
      stop: h("button", { class: "round stop", type: "button", "aria-label": t.stop, title: t.stop, onclick: () => this.#running.forEach(turn => this.#stop(turn)) }, icon("stop")),
      notes: h("div"), log: h("div"), menu: this.#menu(),
    };
    ui.hello = h("div", { class: "hello" }, h("h2", null, t.hello), h("p", null, t.gently));
    ui.main = h("main", { tabindex: 0, "aria-label": t.talk }, h("div", { class: "column" }, ui.hello, ui.notes, ui.log));
    const more = h("button", { class: "plain", type: "button", "aria-label": t.menu, title: t.menu, "aria-haspopup": "true", onclick: () => {
      const { right, bottom, left } = more.getBoundingClientRect();
      const rtl = getComputedStyle(this).direction === "rtl";
      Object.assign(ui.menu.style, { top: `${bottom + 6}px`, left: rtl ? `${left}px` : "auto", right: rtl ? "auto" : `${innerWidth - right}px` });
      ui.menu.togglePopover();
    } }, icon("more"));
    ui.app = h("div", { class: "app", lang: this.#lang === "zh" ? "zh-Hans" : "en" },
      h("header", { class: "column" },
        h("h1", null, h("span", { class: "mark" }, icon("leaf")), h("span", null, this.getAttribute("heading") || "Empathy-R1")),
        h("button", { class: "plain help", type: "button", onclick: () => this.#helpLines() }, t.help),
        h("button", { class: "plain", type: "button", lang: this.#lang === "zh" ? "en" : "zh-Hans", onclick: () => {
          this.#choose("lang", this.#lang === "zh" ? "en" : "zh");
          this.shadowRoot.querySelector("header [lang]").focus();
        } }, t.language),
        more),
      ui.main,
      h("section", { class: "desk column", "aria-label": t.label },
        h("div", { class: "sheet" }, ui.input, h("div", { class: "tools" }, ui.count, ui.stop, ui.send)),
        h("p", { class: "truth", id: "truth" }, t.truth, " ", h("a", { href: this.#server + "safety-protocol", target: "_blank", rel: "noopener" }, t.protocol))),
      ui.menu, ui.status, ui.voice);
    this.shadowRoot.replaceChildren(ui.app);
    if (this.isConnected && this.parentNode === document.body) document.documentElement.lang = this.#lang;
    ui.input.value = typed;
    this.#showNotes();
    this.#list();
  }

  #choose(name, value) {
    this.#shelf.set(name, value);
    this.setAttribute(name, value);
  }

  #menu() {
    const t = this.#t;
    const menu = h("div", { popover: "auto" }, [
      [t.plan, () => this.#plan()], [t.pause, () => this.#pause()], [t.dark, () => this.#choose("theme", matchMedia("(prefers-color-scheme: dark)").matches === (this.getAttribute("theme") !== "light") ? "light" : "dark")],
      [t.export, () => this.#export()], [t.erase, () => this.#erase()],
    ].map(([words, act]) => h("button", { type: "button", onclick: () => { menu.hidePopover(); act(); } }, words)));
    return menu;
  }

  /** (Re)draws one turn; streamed tokens bypass it. */
  #draw(turn, anew) {
    const t = this.#t;
    const post = h("div", { class: "post", dir: "auto" }, turn.text);
    const fold = [...turn.text].length > FOLD && h("button", { class: "link", type: "button", "aria-expanded": String(!!turn.open), onclick: () => {
      turn.open = !turn.open;
      this.#draw(turn);
      turn.el.querySelector(".link").focus();
    } }, turn.open ? t.fold : t.unfold);
    post.classList.toggle("folded", !!fold && !turn.open);
    turn.voice = h("div", { class: "reply", dir: "auto" });
    this.#write(turn);
    const at = STAGES.indexOf(turn.stage) + 1;
    const foot = h("div", { class: "foot" });
    if (turn.joined) foot.append(h("p", null, t.joined));
    else if (turn.end === "committed") {
      if (turn.degraded === "fixed") foot.append(h("p", null, t.fixed));
      const copy = h("button", { class: "link", type: "button", onclick: async () => {
        await navigator.clipboard.writeText(`${turn.reply}\n\n${t.made}`);
        copy.textContent = t.copied;
        this.#say(t.copied);
      } }, t.copy);
      if (navigator.clipboard) foot.append(copy); // there only in secure contexts
      if (turn.chain) foot.append(h("details", { class: "chain" }, h("summary", null, t.chain),
        h("dl", null, Object.entries(t.parts).map(([key, name]) => [h("dt", null, name), h("dd", { dir: "auto" }, turn.chain[key])]))));
    } else if (turn.end) {
      foot.append(h("p", null, turn.why || (turn.end === "failed" ? t.failed : t.stopped)),
        h("button", { class: "link", type: "button", onclick: () => this.#again(turn) }, t.again),
        h("button", { class: "link", type: "button", onclick: () => this.#again(turn, true) }, t.edit));
    }
    const el = h("article", { class: "turn", "aria-busy": String(!turn.end) }, post, fold,
      turn.notes.map(note => this.#note(note)),
      (turn.card || ["high", "imminent"].includes(turn.level) && this.#help) && this.#card(turn.card || this.#help.card, turn.level),
      turn.reply && turn.voice,
      !turn.end && (turn.lost || !turn.reply) && h("div", { class: "going" },
        h("span", { class: "dots", "aria-hidden": "true" }, [0, 1, 2, 3].map(i => h("i", { class: i < at ? "done" : i === at && turn.stage ? "at" : null }))),
        h("span", null, turn.lost || t[turn.stage || "sending"])),
      foot);
    if (turn.el && !anew) turn.el.replaceWith(el);
    return turn.el = el;
  }

  /** Brings the reply's paragraphs up to date; only the last one has changed while it streams. */
  #write({ voice, reply }) {
    const parts = reply.split(/\n{2,}/);
    while (voice.childElementCount > parts.length) voice.lastChild.remove();
    parts.forEach((part, i) => {
      const p = voice.children[i] || voice.appendChild(h("p"));
      if (p.textContent !== part) p.textContent = part;
    });
  }

  #note({ text, when }) {
    return h("p", { class: "note", dir: "auto" }, text, when === "break" && [" ", h("button", { class: "link", type: "button", onclick: () => this.#pause() }, this.#t.pause)]);
  }

  #card(card, level) {
    const t = this.#t;
    const grave = ["high", "imminent"].includes(level);
    const ways = Object.values(card.lines.reduce((found, line) => ({ ...found, [line.place + line.name]: [...(found[line.place + line.name] || []), line] }), {}));
    const dial = (number, href, how) => h("a", { class: "call", href }, icon(how === "text" ? "letter" : "phone"), (how === "text" ? t.text : t.call)(number));
    return h("section", { class: "card", "aria-label": t.help }, h("h2", null, grave ? t.card : t.mild),
      h("ul", null, ways.map(([line, ...more]) => h("li", null,
        h("span", null, h("b", null, line.name), h("small", null, [line.place, line.hours, line.note].filter(Boolean).join(" · "))),
        h("span", { class: "urgent" }, [line, ...more].map(one => dial(one.number, one.href, one.how)))))),
      card.emergency.length ? h("p", { class: "urgent" }, t.urgent, card.emergency.map(one => dial(one.number, one.href))) : h("p", null, t.local),
      h("p", null, h("a", { href: card.directory_url, target: "_blank", rel: "noopener noreferrer" }, t.abroad)),
      h("button", { class: "link", type: "button", onclick: () => this.#plan() }, t.plan));
  }

  /** Follows the reply while it grows, until its first line reaches the top: then the reader sets the pace. */
  #keepDown(turn) {
    const { main } = this.#ui;
    const top = turn.el.querySelector(".reply")?.getBoundingClientRect().top ?? Infinity;
    if (main.scrollHeight - main.scrollTop - main.clientHeight < 160 && top > main.getBoundingClientRect().top + 24) main.scrollTop = main.scrollHeight;
  }

  /** Speaks whole sentences of a growing reply to screen readers, not fragments. */
  #read(turn, rest) {
    const from = turn.spoken || 0;
    const end = rest ? turn.reply.length : Math.max(...["。", "！", "？", ". ", "! ", "? ", "\n"].map(mark => turn.reply.lastIndexOf(mark))) + 1;
    if (end - from < (rest ? 1 : 40)) return;
    turn.spoken = end;
    if (!from) this.#ui.voice.replaceChildren();
    this.#ui.voice.append(h("p", null, turn.reply.slice(from, end)));
  }

  #say(words) { if (this.#ui.status && this.#ui.status.textContent !== words) this.#ui.status.textContent = words; }

  // ---- writing

  #typed() {
    this.#shelf.set("draft", this.#ui.input.value || null);
    this.#count();
    this.#open().catch(() => { /* sending tries again */ });
  }

  #count() {
    const { input, count, send, stop, app, hello } = this.#ui;
    const left = this.#limit - [...input.value].length;
    const near = left < Math.min(500, this.#limit / 5);
    count.textContent = near ? this.#t.left(left) : matchMedia("(hover: none)").matches ? "" : this.#t.keys;
    count.className = left < 0 ? "over" : near ? "" : "hint";
    send.disabled = !input.value.trim() || left < 0;
    stop.hidden = !this.#running.length;
    hello.hidden = this.#turns.length > 0;
    app.classList.toggle("blank", !hello.hidden);
    input.placeholder = hello.hidden ? this.#t.more : this.#t.place;
    input.style.height = "auto";
    if (hello.hidden) input.style.height = `${input.scrollHeight}px`;
  }

  #key(event) {
    if (event.isComposing || event.keyCode === 229) return; // Enter that ends an IME composition is not "send"
    const phone = matchMedia("(hover: none)").matches;
    if (event.key === "Escape" && this.#running.length) this.#ui.stop.click();
    else if (event.key === "Enter" && !event.shiftKey && !event.altKey && (!phone || event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.#send();
    }
  }

  // ---- dialogs

  #dialog(title, body, buttons) {
    const box = h("dialog", { "aria-labelledby": "title", onclose: () => box.remove(), onclick: event => event.target === box && box.close() },
      h("h2", { id: "title" }, title), body,
      h("div", { class: "row" }, buttons.map(([words, look, act]) => h("button", { type: "button", class: look, onclick: () => act?.() ?? box.close() }, words))));
    this.#ui.app.append(box);
    box.showModal();
    return box;
  }

  #helpLines() {
    const card = this.#help?.card || { lines: [], emergency: [], directory_url: "https://findahelpline.com" };
    this.#dialog(this.#t.help, this.#card(card), [[this.#t.close, "solid"]]);
  }

  #pause() {
    const ground = this.#help?.grounding;
    this.#dialog(this.#t.breathe, [h("p", null, this.#t.breathing), h("div", { class: "breath", "aria-hidden": "true" }),
      ground && h("details", null, h("summary", null, ground.title), h("ol", null, ground.steps.map(step => h("li", null, step))))], [[this.#t.close, "solid"]]);
  }

  #plan() {
    const t = this.#t;
    const parts = this.#help?.plan || [];
    const plan = this.#shelf.get("plan") || {};
    const fields = parts.map(({ key, title, hint, rows }) => h("label", null, title, h("small", null, hint), h("textarea", { rows, dir: "auto", oninput: event => {
      plan[key] = event.target.value;
      this.#shelf.set("plan", plan);
    } }, plan[key] || "")));
    this.#dialog(t.plan, [h("p", null, t.planning), fields], [
      [t.wipe, "plain", () => {
        fields.forEach((field, i) => { field.querySelector("textarea").value = ""; delete plan[parts[i].key]; });
        this.#shelf.set("plan", null);
        return true;
      }],
      [t.print, "plain", () => { this.#print(t.plan, parts.map(({ key, title }) => [title, plan[key] || ""])); return true; }],
      [t.close, "solid"]]);
  }

  /** Prints the plan alone, from a page of its own inside the host's document. */
  #print(title, rows) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`.empathy-print { display: none } @media print { body > :not(.empathy-print) { display: none !important }
      .empathy-print { display: block; font: 12pt/1.6 serif } .empathy-print p { white-space: pre-wrap; min-height: 3em; border-bottom: 1px solid #999 } }`);
    const page = h("section", { class: "empathy-print" }, h("h1", null, title), rows.map(([step, words]) => [h("h2", null, step), h("p", null, words)]));
    document.adoptedStyleSheets.push(sheet);
    document.body.append(page);
    addEventListener("afterprint", () => { page.remove(); document.adoptedStyleSheets = document.adoptedStyleSheets.filter(one => one !== sheet); }, { once: true });
    print();
  }

  async #export() {
    try {
      const data = this.#session ? await (await this.#call("GET", "/export")).blob() : new Blob(["{}"]);
      const link = h("a", { href: URL.createObjectURL(data), download: "empathy-r1-export.json" });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    } catch { this.#dialog(this.#t.export, h("p", null, this.#t.exporting), [[this.#t.close, "solid"]]); }
  }

  #erase() {
    const t = this.#t;
    const also = h("input", { type: "checkbox" });
    this.#dialog(t.sure, [h("p", null, t.gone), h("label", { class: "check" }, also, t.too)], [
      [t.no, "plain"],
      [t.yes, "solid grave", () => { this.#eraseNow(also.checked); }]]);
  }

  async #eraseNow(plan) {
    try {
      if (this.#session) await this.#call("DELETE", "");
    } catch (error) {
      if (error.status !== 404) return void this.#dialog(this.#t.erase, h("p", null, this.#t.erasing), [[this.#t.close, "solid"]]);
    }
    this.#live.abort();
    this.#live = new AbortController();
    this.#turns = [];
    this.#ui.input.value = "";
    for (const name of ["pending", "draft", plan && "plan"].filter(Boolean)) this.#shelf.set(name, null);
    this.#forget();
    this.#speak();
    this.#say(this.#t.erased);
    this.#ui.input.focus();
  }
}

if (!customElements.get("empathy-chat")) customElements.define("empathy-chat", EmpathyChat);
