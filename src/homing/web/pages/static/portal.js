// Takes the token from behind the # of the link, where no server sees it, out of the address and
// into the form.
"use strict";

(() => {
  const said = new URLSearchParams(location.hash.slice(1));
  const asked = new URLSearchParams(location.search);
  const token = said.get("key");
  if (!token) return;
  history.replaceState(null, "", location.pathname);
  const form = document.getElementById("enter");
  document.getElementById("hint").textContent = "One moment.";
  form.elements.token.value = token;
  form.elements.dark.value = said.get("darkMode") || asked.get("darkMode") || "";
  form.requestSubmit();
})();
