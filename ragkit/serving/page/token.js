// The form that asks for the access token.

import { h } from "./dom.js";
import { words } from "./words.js";

/** Show the form in `place`, and resolve with the token that is typed; it may be a wrong one. */
export function tokenFrom(place, refused) {
  return new Promise((resolve) => {
    const field = h("input", {
      id: "token",
      type: "password",
      required: true,
      autocomplete: "off",
    });
    const send = (event) => {
      event.preventDefault();
      form.remove();
      resolve(field.value.trim());
    };
    const why = words(refused ? "token.refused" : "token.asked");
    const form = h(
      "form",
      { class: "alert", onsubmit: send },
      h("p", { role: "alert" }, why),
      h("label", { for: "token" }, words("token.label")),
      field,
      h("button", { class: "quiet" }, words("continue")),
    );
    place.replaceChildren(form);
    field.focus();
  });
}
