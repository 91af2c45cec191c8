/* What the page does beyond links and forms. Everything works without it, one reload at a time. */
"use strict";

(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const one = (selector) => document.querySelector(selector);
  const told = one("#told");

  /* Some screen readers pass over a text that is put where it stood before. */
  function tell(text) {
    told.textContent = told.textContent === text ? `${text}\u00a0` : text;
  }

  /* --- settings: checkboxes that this browser remembers --- */

  function remembered(name) {
    try { return localStorage.getItem(`hivebatch.${name}`); } catch { return null; }
  }

  function remember(name, value) {
    try { localStorage.setItem(`hivebatch.${name}`, value); } catch { /* then it holds for this page */ }
  }

  function isOn(name) {
    const box = one(`[data-setting=${name}]`);
    return box !== null && box.checked;
  }

  function restoreSettings() {
    for (const box of all("[data-setting]")) {
      const value = remembered(box.dataset.setting);
      if (value !== null) box.checked = value === "on";
      box.addEventListener("change", () => {
        remember(box.dataset.setting, box.checked ? "on" : "off");
        tick();
      });
    }
  }

  /* --- times: relative ones go on, by the server's clock; exact ones are UTC or local --- */

  const ahead = Date.now() - Date.parse(document.body.dataset.now);
  const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

  function rough(seconds) {
    if (seconds >= 172800) return `${Math.floor(seconds / 86400)} d`;
    if (seconds >= 3600) return `${Math.floor(seconds / 3600)} h`;
    if (seconds >= 60) return `${Math.floor(seconds / 60)} min`;
    return `${Math.floor(seconds)} s`;
  }

  function ago(at) {
    const seconds = (Date.now() - ahead - at) / 1000;
    if (Math.abs(seconds) < 1) return seconds < 0 ? "in a moment" : "just now";
    return seconds > 0 ? `${rough(seconds)} ago` : `in ${rough(-seconds)}`;
  }

  function tellTimes() {
    const isLocal = isOn("local");
    for (const time of all("time[datetime]")) {
      const at = Date.parse(time.dateTime);
      const exact = isLocal ? local.format(at) : time.dateTime;
      const text = "exact" in time.dataset ? exact : ago(at);
      if (time.title !== exact) time.title = exact;
      if (time.textContent !== text) time.textContent = text;
    }
  }

  /* --- the live part: asked for again by htmx, unless somebody is at it --- */

  const live = one("#live");
  const freshness = one("#freshness");
  let tag = null;
  let updated = Date.now();
  let isLost = false;

  /* Why nothing may change now; an empty string: it may. */
  function pause() {
    if (!isOn("live")) return "off";
    if (document.hidden) return "paused: this tab is hidden";
    if (one("dialog[open]")) return "paused: a dialog is open";
    if (live.querySelector("details[open]")) return "paused: something is open";
    if (live.querySelector("[data-moves] tbody:hover")) return "paused: the pointer is on rows that move";
    if (live.querySelector("input[type=checkbox]:checked")) return "paused: a row is selected";
    if (live.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")) return "paused: a field has the focus";
    const selection = getSelection();
    return !selection.isCollapsed && live.contains(selection.anchorNode) ? "paused: text is selected" : "";
  }

  function tellFreshness() {
    const paused = pause();
    const text = paused || (isLost ? "connection lost, retrying" : `updated ${rough((Date.now() - updated) / 1000)} ago`);
    if (freshness.textContent !== text) freshness.textContent = text;
    freshness.classList.toggle("bad", !paused && isLost);
  }

  function isReached() {
    if (isLost) tell("Connected again.");
    [isLost, updated] = [false, Date.now()];
  }

  function isUnreached() {
    if (!isLost) tell("Connection lost, retrying.");
    isLost = true;
  }

  /* An answer without a tag is none of ours: the login, most likely. The whole page leads there. */
  function take(event) {
    const { status } = event.detail.xhr;
    const newTag = event.detail.xhr.getResponseHeader("ETag");
    if (status === 401 || status === 403 || (status === 200 && newTag === null)) return location.reload();
    if (status !== 200 && status !== 304) return isUnreached();
    isReached();
    if (pause()) event.detail.shouldSwap = false; // somebody began while it was on its way
    else tag = newTag;
    return undefined;
  }

  function tellNews(before) {
    const news = live.querySelector("[data-news]");
    if (news !== null && news.textContent !== before) tell(news.textContent.trim());
  }

  function keepLive() {
    let news = "";
    live.addEventListener("htmx:beforeRequest", (event) => { if (pause()) event.preventDefault(); });
    live.addEventListener("htmx:configRequest", (event) => { if (tag) event.detail.headers["If-None-Match"] = tag; });
    live.addEventListener("htmx:beforeSwap", (event) => {
      news = live.querySelector("[data-news]")?.textContent;
      take(event);
    });
    live.addEventListener("htmx:afterSwap", () => { tick(); tellNews(news); });
    for (const wrong of ["htmx:sendError", "htmx:timeout"]) live.addEventListener(wrong, isUnreached);
  }

  /* --- copying, keys --- */

  async function copy(button) {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      tell("Copied.");
      button.classList.add("done");
      setTimeout(() => button.classList.remove("done"), 1500);
    } catch { // not allowed, or not offered over plain http
      getSelection().selectAllChildren(button.previousElementSibling);
      tell("Selected; copy it with the keyboard.");
    }
  }

  function close() {
    const open = one("details.confirm[open]");
    if (open === null) return;
    open.open = false;
    open.querySelector("summary").focus();
  }

  function press(event) {
    if (event.key === "Escape") close();
    if (event.ctrlKey || event.metaKey || event.altKey || !isOn("keys")) return;
    if (event.target.closest("input:not([type=checkbox]), textarea, select, dialog")) return;
    const search = one("#search");
    if (event.key === "/" && search !== null) search.focus();
    else if (event.key === "?") one("#help").showModal();
    else return;
    event.preventDefault();
  }

  function tick() {
    tellTimes();
    if (live !== null) tellFreshness();
  }

  document.documentElement.classList.add("js");
  restoreSettings();
  if (live !== null) keepLive();
  document.addEventListener("keydown", press);
  one("#keys").addEventListener("click", () => one("#help").showModal());
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button !== null) copy(button);
  });
  tick();
  setInterval(tick, 1000);
})();
