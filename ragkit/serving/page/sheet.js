// The article beside the conversation on a wide screen, and over it, as a sheet, on a narrow one.

const narrow = matchMedia("(max-width: 759.98px)");

export class Sheet {
  #pane;
  #behind;
  #close;
  #opener = null;

  /** `behind`: what cannot be reached while the sheet lies over it. `always`: never beside. */
  constructor(pane, behind, { always, close }) {
    this.#pane = pane;
    this.#behind = behind;
    this.always = always;
    this.#close = close;
    close.addEventListener("click", () => this.back());
    pane.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.back()) event.stopPropagation();
    });
    narrow.addEventListener("change", () => this.#lift());
  }

  /** Whether the article is seen only when it is called. */
  get over() {
    return this.always || narrow.matches;
  }

  /** Show the pane; focus goes back to `opener` when the reader is done with it. */
  open(opener) {
    this.#opener = opener;
    if (!this.over) return;
    this.#pane.classList.add("open");
    this.#pane.setAttribute("role", "dialog");
    this.#pane.setAttribute("aria-modal", "true");
    for (const element of this.#behind) element.inert = true;
    this.#close.focus();
  }

  /** Close, and give the focus back; false if there was nothing to go back to. */
  back() {
    const opener = this.#opener;
    this.#lift();
    this.#opener = null;
    if (opener?.isConnected) opener.focus();
    return opener !== null;
  }

  #lift() {
    this.#pane.classList.remove("open");
    this.#pane.setAttribute("role", "complementary");
    this.#pane.removeAttribute("aria-modal");
    for (const element of this.#behind) element.inert = false;
  }
}
