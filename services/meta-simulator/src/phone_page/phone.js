import { bubble, eventLine } from "/phone/bubble.js";
import { avatar, element, phoneNumber, poll, time } from "/phone/shared.js";

const waId = (new URLSearchParams(location.search).get("patient") ?? "").replace(/\D/g, "");
const at = (id) => document.querySelector(`#${id}`);
let chats = [];
let open = null;
let quoted = null;

const path = (number) => `/_sim/conversations/${encodeURIComponent(number)}/${waId}`;
const post = (url, body) =>
  fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

function chatRow(chat) {
  return element("li", {},
    element("button", { class: "chat-row", onclick: () => show(chat.phone_number_id) },
      avatar(chat.business, chat.phone_number_id),
      element("span", { class: "card-text" },
        element("span", { class: "row" },
          element("strong", {}, chat.business),
          element("time", {}, time(chat.last_at))),
        element("span", { class: "row" },
          element("span", { class: "preview" }, chat.last_text),
          chat.unread ? element("span", { class: "badge" }, String(chat.unread)) : ""))));
}

/** Shows a chat, or the list of chats, and remembers it in the address. */
async function show(number) {
  open = number;
  quote(null);
  history.replaceState(null, "", number ? `#${number}` : location.pathname + location.search);
  at("list").hidden = Boolean(number);
  at("chat").hidden = !number;
  await draw();
}

async function draw() {
  at("chats").replaceChildren(...chats.map(chatRow));
  at("none").hidden = chats.length > 0;
  if (!open) return;
  const answer = await fetch(path(open));
  if (!answer.ok) return;
  const chat = await answer.json();
  at("business").textContent = chat.business;
  at("presence").textContent = chat.typing ? "typing…" : "business account";
  at("face").replaceChildren(avatar(chat.business, chat.phone_number_id));
  drawMessages(chat);
  at("events").replaceChildren(...chat.messages.slice(-6).reverse().flatMap(eventLine));
  if (chat.unread && !document.hidden) await post(`${path(open)}/open`, {});
}

function drawMessages(chat) {
  const pane = at("messages");
  const atEnd = pane.scrollHeight - pane.scrollTop - pane.clientHeight < 80;
  const byId = new Map(chat.messages.map((message) => [message.id, message]));
  const nodes = [];
  let day = "";
  for (const message of chat.messages) {
    const date = new Date(message.at).toLocaleDateString([], { day: "numeric", month: "long", year: "numeric" });
    if (date !== day) nodes.push(element("div", { class: "day" }, date));
    day = date;
    nodes.push(bubble(message, byId.get(message.reply_to), { choose, list, quote }));
  }
  if (!chat.window_open) {
    nodes.push(element("div", { class: "note" }, "The 24-hour window is closed: only templates arrive until you write."));
  }
  pane.replaceChildren(...nodes);
  if (atEnd || pane.scrollTop === 0) pane.scrollTop = pane.scrollHeight;
}

const say = (content) => post("/_sim/inbound", { phone_number_id: open, from: waId, ...content });

/** The patient taps a button or a row. */
function choose(message, choice) {
  at("sheet").close();
  const answers = {
    reply: { type: "button_reply", id: choice.id, title: choice.title },
    row: { type: "list_reply", id: choice.id, title: choice.title, description: choice.description },
    quick_reply: { type: "button", payload: choice.id, text: choice.title },
    send_location: { type: "location", latitude: 12.9716, longitude: 77.5946, name: "Bengaluru" },
  };
  const answer = answers[choice.kind];
  if (answer) say({ ...answer, reply_to: message.id });
}

function list(message) {
  const sections = Map.groupBy(message.choices, (choice) => choice.section ?? "");
  const rows = [...sections].flatMap(([section, choices]) => [
    section ? element("h3", {}, section) : "",
    ...choices.map((choice) =>
      element("button", { class: "option", type: "button", onclick: () => choose(message, choice) },
        element("strong", {}, choice.title),
        choice.description ? element("small", {}, choice.description) : "")),
  ]);
  at("sheet").replaceChildren(
    element("header", {}, element("h2", {}, message.list_button),
      element("button", { class: "icon", "aria-label": "Close", onclick: () => at("sheet").close() }, "×")),
    ...rows);
  at("sheet").show();
}

/** The next message will answer this one. */
function quote(message) {
  quoted = message;
  at("quote").hidden = !message;
  if (message) {
    at("quote").replaceChildren(
      element("span", {}, message.text || message.attachment?.filename || message.kind),
      element("button", { type: "button", class: "icon", "aria-label": "Do not quote", onclick: () => quote(null) }, "×"));
    at("text").focus();
  }
}

at("reply").addEventListener("submit", (event) => {
  event.preventDefault();
  const body = at("text").value.trim();
  if (!body) return;
  say({ type: "text", body, reply_to: quoted?.id });
  at("text").value = "";
  quote(null);
});
at("leave").addEventListener("click", () => show(null));
document.addEventListener("visibilitychange", () => document.hidden || draw());

const patients = (await (await fetch("/_sim/patients")).json()).data;
const owner = patients.find((patient) => patient.phone.replace(/\D/g, "") === waId);
const name = owner?.name ?? phoneNumber(waId);
document.title = `${name} · phone`;
at("owner").replaceChildren(
  avatar(name, waId),
  element("div", {}, element("strong", {}, name), element("small", {}, phoneNumber(waId))));
open = location.hash.slice(1) || null;
poll(async (all) => {
  chats = all.filter((chat) => chat.wa_id === waId);
  await (at("chat").hidden && open ? show(open) : draw());
});
