// A button on any site that opens the conversation in a frame.
//   <script src="https://host/widget.js" data-title="Ask the article" data-lang="en" async></script>
// Without data-lang it speaks the browser's language, and without data-position="left" or "right" it
// stands where lines end in that language. The server fills WORDS, by language.

(() => {
  const script = document.currentScript;
  const home = new URL("./", script.src);
  const WORDS = {};
  const wanted = [script.dataset.lang ?? "", ...navigator.languages, "en"];
  const language = wanted.map((tag) => tag.split("-")[0].toLowerCase()).find((one) => WORDS[one]);
  const { dir, close: closing, title: asking } = WORDS[language];
  const title = script.dataset.title || asking;
  const side = { left: "left", right: "right" }[script.dataset.position];

  const css = `
    :host { all: initial; color-scheme: light dark; }
    [hidden] { display: none !important; }
    button { font: 600 15px/1.4 system-ui, sans-serif; cursor: pointer; }
    button:focus-visible { outline: 3px solid #0b5a62; outline-offset: 2px; box-shadow: 0 0 0 2px #fff; }
    .launcher, .panel { position: fixed; z-index: 2147483000; bottom: 20px; inset-inline-end: 20px; }
    .left { right: auto; left: 20px; }
    .right { left: auto; right: 20px; }
    .launcher { padding: 12px 20px; border: 1px solid #ffffff40; border-radius: 99px;
      background: #0b5a62; color: #fff; box-shadow: 0 4px 18px #0004; }
    .launcher:hover { background: #094a51; }
    .panel { display: flex; flex-direction: column; width: 410px; height: min(660px, 100dvh - 40px);
      border: 1px solid #d9d2c5; border-radius: 14px; overflow: hidden;
      background: #f8f6f1; color: #211f1b; box-shadow: 0 12px 48px #0005; }
    .bar { display: flex; align-items: center; gap: 12px; padding-block: 8px; padding-inline: 16px 8px;
      border-bottom: 1px solid #e2dcd0; font: 600 15px/1.4 system-ui, sans-serif; }
    .bar span { flex: 1; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
    .close { padding: 5px 12px; border: 0; border-radius: 99px; background: none; color: inherit; font-weight: 400; }
    .close:hover { background: #0001; }
    iframe { flex: 1; border: 0; background: inherit; }
    @media (prefers-color-scheme: dark) {
      .panel { background: #151617; color: #e8e3d9; border-color: #3a3b3e; }
      .bar { border-color: #303134; }
      .close:hover { background: #fff2; }
      button:focus-visible { outline-color: #8fced3; box-shadow: 0 0 0 2px #151617; }
    }
    @media (max-width: 759.98px) {
      .panel { inset: 0; width: auto; height: 100dvh; border: 0; border-radius: 0; }
    }
    @media (forced-colors: active) { .launcher, .close { border: 1px solid; } }
    @media print { .launcher, .panel { display: none; } }
  `;

  function element(tag, className, properties) {
    const node = document.createElement(tag);
    node.className = [className, side].filter(Boolean).join(" ");
    for (const [name, value] of Object.entries(properties)) node.setAttribute(name, value);
    return node;
  }

  function mount() {
    if (document.querySelector("[data-ragkit-widget]")) return; // included twice
    const host = document.createElement("div");
    host.dataset.ragkitWidget = "";
    const root = host.attachShadow({ mode: "closed" });
    const sheet = new CSSStyleSheet(); // allowed where the site's policy forbids inline styles
    sheet.replaceSync(css);
    root.adoptedStyleSheets = [sheet];
    build(root);
    document.body.append(host);
  }

  function build(root) {
    const words = { lang: language, dir };
    const launcher = element("button", "launcher", {
      ...words,
      type: "button",
      "aria-expanded": "false",
      "aria-controls": "panel",
    });
    const panel = element("div", "panel", { ...words, id: "panel", role: "dialog", "aria-label": title });
    const bar = element("div", "bar", {});
    const name = document.createElement("span");
    const close = element("button", "close", { type: "button" });
    launcher.textContent = name.textContent = title;
    if (script.dataset.title) launcher.lang = name.lang = ""; // the site's own words
    name.dir = "auto";
    close.textContent = closing;
    panel.hidden = true;
    bar.append(name, close);
    panel.append(bar);
    root.append(launcher, panel);
    operate(launcher, panel, close);
  }

  function operate(launcher, panel, close) {
    let frame = null;

    function show(open) {
      panel.hidden = !open;
      launcher.hidden = open;
      launcher.setAttribute("aria-expanded", String(open));
      if (!open) return launcher.focus();
      frame ??= panel.appendChild(conversation());
      frame.focus();
    }

    launcher.addEventListener("click", () => show(true));
    close.addEventListener("click", () => show(false));
    panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape") show(false);
    });
    addEventListener("message", (event) => {
      if (event.origin !== home.origin || !frame || event.source !== frame.contentWindow) return;
      if (event.data?.ragkit === "close" && !panel.hidden) show(false);
    });
  }

  /** Made when it is first wanted, so that a site's readers who never ask load nothing. */
  function conversation() {
    const frame = element("iframe", "", {
      title,
      sandbox:
        "allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox",
      allow: "clipboard-write",
      referrerpolicy: "strict-origin",
      src: new URL(`embed?lang=${language}`, home).href,
    });
    // A frame that moves to a process of its own loses the focus that it was given.
    frame.addEventListener("load", () => {
      if (frame.getRootNode().activeElement !== frame) return;
      frame.blur();
      frame.focus();
    });
    return frame;
  }

  if (document.body) mount();
  else addEventListener("DOMContentLoaded", mount);
})();
