// The API, shown and tried out by Swagger UI. Every request carries the token that the chat page has, too.

import * as api from "./api.js";
import { h } from "./dom.js";
import { tokenFrom } from "./token.js";

const notices = document.getElementById("notices");

api.lock.ask = (refused) => tokenFrom(notices, refused);

async function show() {
  const spec = await api.description();
  document.title = `${spec.info.title} API`;
  spec.servers = [{ url: api.home.href.replace(/\/$/, "") }];
  window.SwaggerUIBundle({
    spec,
    domNode: document.getElementById("api"),
    validatorUrl: null, // it would ask another host
    tryItOutEnabled: true,
    defaultModelsExpandDepth: 0,
    requestInterceptor: (request) => {
      Object.assign(request.headers, api.authorization());
      return request;
    },
  });
}

show().catch((error) => {
  notices.replaceChildren(h("p", { class: "alert", role: "alert" }, error.message));
});
