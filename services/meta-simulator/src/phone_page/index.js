import { avatar, element, phoneNumber, poll, time } from "/phone/shared.js";

const list = document.querySelector("#patients");

function card(patient, chats) {
  const waId = patient.phone.replace(/\D/g, "");
  const own = chats.filter((chat) => chat.wa_id === waId);
  const unread = own.reduce((sum, chat) => sum + chat.unread, 0);
  const latest = own[0];
  const marks = [];
  if (!patient.on_whatsapp) marks.push(element("span", { class: "mark" }, "not on WhatsApp"));
  if (patient.blocked) marks.push(element("span", { class: "mark" }, "blocks the business"));
  if (!patient.auto_read) marks.push(element("span", { class: "mark calm" }, "reads when you open the chat"));
  const name = patient.name ?? phoneNumber(waId);
  return element("li", {},
    element("a", { class: "card", href: `/phone?patient=${waId}` },
      avatar(name, waId),
      element("div", { class: "card-text" },
        element("div", { class: "row" },
          element("strong", {}, name),
          latest ? element("time", {}, time(latest.last_at)) : ""),
        element("div", { class: "muted" }, phoneNumber(waId)),
        element("div", { class: "row" },
          element("span", { class: "preview" }, latest ? latest.last_text : "No messages yet"),
          unread ? element("span", { class: "badge" }, String(unread)) : ""),
        marks.length ? element("div", { class: "marks" }, ...marks) : "")));
}

poll(async (chats) => {
  const patients = (await (await fetch("/_sim/patients")).json()).data;
  const newest = (patient) => {
    const chat = chats.find((chat) => chat.wa_id === patient.phone.replace(/\D/g, ""));
    return chat ? chat.last_at : "";
  };
  patients.sort((left, right) => newest(right).localeCompare(newest(left)));
  list.replaceChildren(...patients.map((patient) => card(patient, chats)));
  document.querySelector("#nobody").hidden = patients.length > 0;
});

document.querySelector("#someone").addEventListener("submit", (event) => {
  event.preventDefault();
  const waId = new FormData(event.target).get("patient").replace(/\D/g, "");
  if (waId) location.href = `/phone?patient=${waId}`;
});
