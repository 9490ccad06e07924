import { element, time } from "/phone/shared.js";

const MARKS = [[/```([^`]+)```/, "code"], [/\*([^*\n]+)\*/, "strong"], [/_([^_\n]+)_/, "em"], [/~([^~\n]+)~/, "s"]];

/** *bold*, _italic_, ~struck~, ```code``` and links, as nodes. */
function marked(text) {
  const link = /https?:\/\/[^\s]+/.exec(text);
  if (link) {
    const end = link.index + link[0].length;
    return [...marked(text.slice(0, link.index)), anchor(link[0], link[0]), ...marked(text.slice(end))];
  }
  for (const [pattern, tag] of MARKS) {
    const found = pattern.exec(text);
    if (found) {
      const rest = text.slice(found.index + found[0].length);
      return [...marked(text.slice(0, found.index)), element(tag, {}, ...marked(found[1])), ...marked(rest)];
    }
  }
  return text ? [document.createTextNode(text)] : [];
}

const anchor = (href, text, attributes = {}) =>
  element("a", { href, target: "_blank", rel: "noopener noreferrer", ...attributes }, text);

function size(bytes) {
  if (!bytes) return "";
  return bytes < 1024 * 1024 ? `${Math.max(1, Math.round(bytes / 1024))} kB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

function attachment(file) {
  const url = file.media_id ? `/_sim/media/${encodeURIComponent(file.media_id)}` : null;
  if (file.kind === "location") {
    return element("div", { class: "place" }, element("span", { class: "pin" }), file.filename ?? "Location");
  }
  if (file.kind === "image" || file.kind === "sticker") {
    return url
      ? element("a", { href: url, target: "_blank" }, element("img", { src: url, alt: "", class: file.kind }))
      : element("div", { class: "place" }, "Image");
  }
  if (file.kind === "video" || file.kind === "audio") return element(file.kind, { src: url, controls: "" });
  if (file.kind !== "document") return "";
  const type = (file.mime_type ?? "file").split("/").pop().split(".").pop().slice(0, 4).toUpperCase();
  const details = [type, size(file.size_bytes)].filter(Boolean).join(" · ");
  return element("a", { class: "document", href: url ?? undefined, target: "_blank", rel: "noopener" },
    element("span", { class: "sheet-icon", "data-type": type }, type),
    element("span", { class: "document-text" },
      element("strong", {}, file.filename ?? "Document"),
      element("small", {}, url ? details : "not downloaded")));
}

const TICKS = {
  accepted: ["clock", "M8 4.5V8l2.2 1.4M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2Z"],
  sent: ["", "M4 8.6 7 11.6 13 4.6"],
  delivered: ["", "M1 8.6 4 11.6 10 4.6M7 10.4 8.2 11.6 14.4 4.6"],
  read: ["read", "M1 8.6 4 11.6 10 4.6M7 10.4 8.2 11.6 14.4 4.6"],
  failed: ["failed", "M8 3.5v5.5M8 11.6v.6"],
};

const errorCode = (message) => message.events.find((event) => event.error_code)?.error_code;

function ticks(message) {
  const [name, path] = TICKS[message.status];
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.innerHTML = `<path d="${path}"/>`;
  const title = message.status === "failed" ? `failed: ${errorCode(message)}` : message.status;
  return element("span", { class: `ticks ${name}`, title }, svg);
}

/** Buttons below a bubble. */
function choices(message, on) {
  if (message.direction !== "outbound") return [];
  if (message.list_button) {
    return [element("button", { class: "choice", type: "button", onclick: () => on.list(message) }, `☰ ${message.list_button}`)];
  }
  return message.choices.map((choice) =>
    choice.url
      ? anchor(choice.url, `↗ ${choice.title}`, { class: "choice" })
      : element("button", { class: "choice", type: "button", onclick: () => on.choose(message, choice) }, choice.title));
}

export function bubble(message, quoted, on) {
  const inbound = message.direction === "inbound";
  const parts = [];
  if (quoted) parts.push(element("div", { class: "quoted" }, quoted.text || quoted.attachment?.filename || quoted.kind));
  if (message.attachment) parts.push(attachment(message.attachment));
  if (message.header) parts.push(element("div", { class: "header" }, message.header));
  if (message.text) parts.push(element("div", { class: "text" }, ...marked(message.text)));
  if (message.footer) parts.push(element("div", { class: "footer" }, message.footer));
  parts.push(element("div", { class: "meta" }, element("time", {}, time(message.at)), ticks(message)));
  const body = element("div", { class: "body", ondblclick: () => on.quote(message) }, ...parts);
  const nodes = [body, ...choices(message, on)];
  if (message.reaction) nodes.push(element("span", { class: "reaction" }, message.reaction));
  const failed = message.status === "failed";
  if (failed) nodes.push(element("div", { class: "lost-note" }, `never arrived · ${errorCode(message)}`));
  return element("article", { class: `bubble ${inbound ? "mine" : "theirs"}${failed ? " lost" : ""}`, dir: "auto" }, ...nodes);
}

/** What was reported of a message, newest first. */
export function eventLine(message) {
  const what = message.template ?? message.kind;
  const lines = message.events.map((event) =>
    element("li", { class: event.status },
      element("span", {}, event.error_code ? `${event.status} ${event.error_code}` : event.status),
      element("small", {}, `${what} · ${new Date(event.at).toLocaleTimeString()}`)));
  return lines.reverse();
}
