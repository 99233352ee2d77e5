// Looks for what a person would call broken, and returns a sentence for each. The body of a function.
const faults = [];
const root = document.documentElement;
const visible = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
const name = (element) => {
  const id = element.id ? `#${element.id}` : '';
  const kind = element.getAttribute('class');
  return element.tagName.toLowerCase() + id + (kind ? `.${kind.trim().split(/\s+/).join('.')}` : '');
};
const words = (text) => JSON.stringify(text.replace(/\s+/g, ' ').trim().slice(0, 60));

// What an element may be seen in: the part of the page that no ancestor cuts off.
const window_of = (element) => {
  const seen = { left: -Infinity, top: -Infinity, right: Infinity, bottom: Infinity };
  for (let above = element; above && above !== root && above !== document.body; above = above.parentElement) {
    const style = getComputedStyle(above);
    if (style.overflowX === 'visible' && style.overflowY === 'visible' && style.clipPath === 'none') continue;
    const box = above.getBoundingClientRect();
    seen.left = Math.max(seen.left, box.left);
    seen.top = Math.max(seen.top, box.top);
    seen.right = Math.min(seen.right, box.right);
    seen.bottom = Math.min(seen.bottom, box.bottom);
  }
  return seen;
};

// 1. The page is not wider than the screen.
if (root.clientWidth > screen.width + 1) faults.push(`the page takes the screen of ${screen.width} px for ${root.clientWidth} px`);
if (root.scrollWidth > root.clientWidth + 1) {
  const wide = [...document.body.querySelectorAll('*')].filter((element) => {
    const box = element.getBoundingClientRect();
    return visible(element) && box.width > 0 && Math.min(box.right, window_of(element.parentElement).right) > root.clientWidth + 1;
  });
  const inner = wide.filter((element) => ![...element.children].some((child) => wide.includes(child)));
  const who = inner.slice(0, 4).map((element) => `${name(element)} ${words(element.textContent)}`).join(', ');
  faults.push(`the page is ${root.scrollWidth} px wide on a screen of ${root.clientWidth} px: ${who}`);
}

// 2. No words lie on others.
const pieces = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let text = walker.nextNode(); text; text = walker.nextNode()) {
  const parent = text.parentElement;
  if (!text.data.trim() || !visible(parent) || parent.closest('script, style, noscript, title, desc, option')) continue;
  const seen = window_of(parent);
  const range = document.createRange();
  range.selectNodeContents(text);
  for (const box of range.getClientRects()) {
    const left = Math.max(box.left, seen.left);
    const right = Math.min(box.right, seen.right);
    const top = Math.max(box.top, seen.top);
    const bottom = Math.min(box.bottom, seen.bottom);
    if (right - left > 2 && bottom - top > 2) pieces.push({ left, right, top, bottom, text, parent });
  }
}
pieces.sort((one, other) => one.top - other.top);
const told = new Set();
for (let first = 0; first < pieces.length; first += 1) {
  const one = pieces[first];
  for (let second = first + 1; second < pieces.length && pieces[second].top < one.bottom; second += 1) {
    const other = pieces[second];
    if (other.text === one.text) continue;
    const wide = Math.min(one.right, other.right) - Math.max(one.left, other.left);
    const high = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
    const smaller = Math.min(one.bottom - one.top, other.bottom - other.top);
    if (wide <= 3 || high <= smaller * 0.4) continue;
    const pair = `${words(one.text.data)} in ${name(one.parent)} and ${words(other.text.data)} in ${name(other.parent)}`;
    if (!told.has(pair) && told.size < 8) faults.push(`${pair} lie on each other`);
    told.add(pair);
  }
}

// 3. No words are cut off without a sign.
for (const element of document.body.querySelectorAll('*')) {
  const style = getComputedStyle(element);
  const cuts = style.overflowX === 'hidden' || style.overflowX === 'clip';
  if (!cuts || style.textOverflow === 'ellipsis' || element.clientWidth <= 2 || !visible(element)) continue;
  if (element.scrollWidth > element.clientWidth + 1 && element.innerText?.trim()) {
    faults.push(`${words(element.innerText)} in ${name(element)} is cut off`);
  }
}

// 4. No region is empty.
const regions = 'main, section, article, aside, nav, table, tbody, ul, ol, dl, figure, form, fieldset, details, svg';
for (const region of document.body.querySelectorAll(regions)) {
  // What takes no room is not there to be seen.
  if (!visible(region) || region.closest('[aria-hidden=true]') || region.getBoundingClientRect().height < 2) continue;
  const drawn = region.matches('svg') ? region.childElementCount > 0 : region.querySelector('svg, img, input, button, select, textarea');
  if (!region.textContent.trim() && !drawn) faults.push(`${name(region)} is empty, without a word`);
}
return faults;
