// The page's own words, in the reader's language. The server writes the catalogue into the page.

const messages = JSON.parse(document.getElementById("messages").textContent);
const language = document.documentElement.lang;
// The reader's own region, as far as it is of the page's language, decides on digits and separators.
const region = navigator.languages.find((tag) => tag.split("-")[0] === language) ?? language;
const plurals = new Intl.PluralRules(language);
const numbers = new Intl.NumberFormat(region);
const PLACEHOLDER = /\{(\w+)\}/;

/** A number as the reader's language writes it. */
export const number = (value) => numbers.format(value);

/** A message, its placeholders filled; a `count` decides on its plural form. */
export const words = (key, values = {}) => filled(key, values).join("");

/** The same in parts, where a value may be an element, or a list of them. */
export const parts = (key, values) => filled(key, values).flat();

/** The same text with a capital first, where its script has them. */
export const sentenceCase = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function filled(key, values) {
  const message = messages[key];
  const text = typeof message === "string" ? message : message[plurals.select(values.count)];
  const shown = (value) => (typeof value === "number" ? number(value) : value);
  return text.split(PLACEHOLDER).map((part, place) => (place % 2 ? shown(values[part]) : part));
}
