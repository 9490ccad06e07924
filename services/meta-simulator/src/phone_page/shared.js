/** A DOM element; text is always text, never markup. */
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

export function avatar(name, key) {
  const letters = [...new Intl.Segmenter().segment(name.replace(/[^\p{L}\p{M}\s]/gu, ""))].map((part) => part.segment);
  const words = letters.join("").trim().split(/\s+/).filter(Boolean);
  const initial = (word) => [...new Intl.Segmenter().segment(word)][0]?.segment ?? "";
  const initials = words.slice(0, 2).map(initial).join("").toUpperCase() || "#";
  const hue = [...key].reduce((sum, digit) => (sum * 137 + Number(digit) * 61) % 359, 7);
  return element("span", { class: "avatar", style: `--hue: ${hue}`, "aria-hidden": "true" }, initials);
}

export function phoneNumber(waId) {
  const indian = /^91(\d{5})(\d{5})$/.exec(waId);
  return indian ? `+91 ${indian[1]} ${indian[2]}` : `+${waId}`;
}

export function time(instant) {
  return instant ? new Date(instant).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) : "";
}

/** Calls back with the chats at once and after each change. */
export function poll(changed) {
  let version = null;
  const look = async () => {
    try {
      const answer = await (await fetch("/_sim/conversations")).json();
      if (answer.version !== version) {
        version = answer.version;
        await changed(answer.data);
      }
      document.body.classList.remove("offline");
    } catch {
      document.body.classList.add("offline");
      version = null;
    }
    setTimeout(look, document.hidden ? 2000 : 500);
  };
  look();
}
