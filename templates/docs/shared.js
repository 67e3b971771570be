  // --- what the page of a host and the index over several hosts have in common ----------------------------------------
  const byId = (id) => document.getElementById(id);
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  };
  const count = (number) => number.toLocaleString("en");
  const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  // A route, by position. `base`: where a browser finds its site, without a slash at the end; null: not known.
  const ROUTE_FIELDS = ["host", "path", "access", "backend", "base", "open"];
  const routesOf = (ways) => ways.map((values) => {
    const route = named(ROUTE_FIELDS, values);
    // The inventory gives the path only. Scheme and host come from the base, so this is always a link to that host.
    const isPath = route.base && route.path.startsWith("/") && !route.path.startsWith("//");
    return { ...route, name: route.host + route.path, link: isPath ? route.base + route.path : null };
  });
  const inUrl = (address) => (address.includes(":") ? `[${address}]` : address);
  // A row's port, or all ports of its range, of which `last` is the last one.
  const lastOf = (row) => row.last || row.port;
  const sizeOf = (row) => (row.port === null ? 0 : lastOf(row) - row.port + 1);
  const holds = (row, port) => row.port !== null && row.port <= port && port <= lastOf(row);
  const portText = (row) => (row.last ? `${row.port}-${row.last}` : `${row.port}`);
  const innerText = (row) => (row.last ? `${row.inner}-${row.inner + sizeOf(row) - 1}` : `${row.inner}`);
  const transportOf = (protocol) => (protocol === "udp" ? "udp" : "tcp");
  // The lines of JSON that the page brings along.
  const readData = () => JSON.parse("[" + byId("data").textContent.trim().split("\n").join(",") + "]");

  // --- search ---------------------------------------------------------------------------------------------------------
  // A row of a table has `port` (null: none), `inner` (the container's port), `protocol`, and two texts in lower case:
  // `named`, by which people know the service, and `words`, all that is said of it.
  const testOf = (token) => {
    const range = token.match(/^(\d+)[-–](\d+)$/);
    if (range) return (row) => row.port !== null && Number(range[1]) <= lastOf(row) && row.port <= Number(range[2]);
    const endpoint = token.match(/^:?(\d+)\/(tcp|udp|https?)$/);   // 53/udp, as the command line writes it
    if (endpoint) {
      const [port, protocol] = [Number(endpoint[1]), endpoint[2]];
      return (row) => holds(row, port) && (row.protocol === protocol || transportOf(row.protocol) === protocol);
    }
    const exact = token.match(/^:(\d+)$/);                         // :53, on the host or in the container
    if (exact) return (row) => holds(row, Number(exact[1])) || row.inner === Number(exact[1]);
    if (/^\d+$/.test(token)) {
      const word = new RegExp(`(^|[^0-9])${token}([^0-9]|$)`);
      return (row) => (row.port !== null && String(row.port).startsWith(token)) || holds(row, Number(token)) || word.test(row.named);
    }
    return (row) => row.words.includes(token);
  };
  const searched = (query) => {
    const tests = query.toLowerCase().split(/\s+/).filter(Boolean).map(testOf);
    return (row) => tests.every((test) => test(row));
  };

  // --- the state of a page in its address -----------------------------------------------------------------------------
  // `#q=53%2Fudp&sort=-service` is a state; a fragment without `=` is a link to one service. What is read here is only ever
  // compared, or shown as text.
  const stateIn = (fragment) => (fragment.includes("=") ? new URLSearchParams(fragment) : null);
  const fragmentOf = (state) => String(new URLSearchParams(Object.entries(state).filter(([, value]) => value)));
  const decoded = (fragment) => {
    try { return decodeURIComponent(fragment); } catch { return fragment; }
  };
  // Each step gets an entry of its own for the Back button; the letters of one word share one.
  let typing = false;
  const remember = (fragment, byTyping = false) => {
    if (fragment === location.hash.slice(1)) return;
    const address = fragment ? `#${fragment}` : location.pathname + location.search;
    if (byTyping && typing) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    typing = byTyping;
  };

  // --- tables ---------------------------------------------------------------------------------------------------------
  // A view of a table: `sort` and `down`, the rows `found`, which `page` of them; `all`: on paper there are no pages to turn.
  const PAGE = 100;          // rows at a time
  const LAST = "\uffff";     // what has no value comes last
  const named = (fields, values) => Object.fromEntries(fields.map((field, index) => [field, values[index]]));
  const tableCell = (name, label, ...children) => {
    const shown = children.filter((child) => child !== null && child !== "");
    return make("td", { role: "cell", class: `col-${name}${shown.length ? "" : " empty"}`, "data-label": label }, ...shown);
  };
  // A link with its path or name; on paper `base` is printed before it, so that it is the whole address there.
  const linkTo = (address, base, ...text) => make("a", { href: address }, make("span", { class: "mono" }, make("span", { class: "base" }, base, make("wbr")), ...text));
  // A link by a port breaks before the port.
  const linkByPort = (scheme, name, port) => linkTo(`${scheme}://${name}:${port}/`, `${scheme}://`, ...breakable(name), make("wbr"), `:${port}`);
  // The routes of a row, each with who may come by it.
  const routeParts = (routes) => routes.flatMap(({ name, path, host, access, base, open, link }) => {
    const text = breakable(name);
    const shown = link ? linkTo(link, host ? base.slice(0, base.indexOf("://") + 3) : base, ...text) : make("span", { class: "mono" }, ...text);
    return access ? [shown, make("span", { class: open ? "access any" : "access" }, access)] : [shown];
  });
  // A long path breaks at its slashes first, a name at its dots.
  const breakable = (text) => text.split(/(?<=\/)|(?=\.)/).flatMap((part, index) => (index ? [make("wbr"), part] : [part]));
  // A port as the command line writes it; it breaks after an address. Where it is long, a narrow screen has it in a line of its own.
  const portCell = (endpoint) => {
    const [number, transport] = endpoint.split("/");
    const [, address, port] = number.match(/^(.*?)(:?[\d-]*)$/);
    const shown = address ? [address, make("wbr"), port] : [port || "–"];
    return make("td", { role: "cell", class: `port col-port${endpoint.length > 5 ? " long" : ""}` }, ...shown, transport ? make("span", { class: "transport" }, `/${transport}`) : null);
  };

  const sortedBy = (found, key, down, between) => {
    const isLast = (value) => value === Infinity || value === LAST;
    const compare = (a, b) => (typeof a === "string" ? collator.compare(a, b) : a === b ? 0 : a - b);
    const keyed = found.map((row) => [key(row), row]);
    keyed.sort(([a, one], [b, other]) => {
      // Rows without a port, link or date come last, in both sort directions.
      if (isLast(a) !== isLast(b)) return isLast(a) ? 1 : -1;
      return compare(a, b) * (down ? -1 : 1) || between(one, other);
    });
    return keyed.map(([, row]) => row);
  };
  // `-port` as it stands in the address: what to sort by, and whether downwards. What is not a column means the usual one.
  const sortOf = (text, columns, usual) => {
    const sort = text.replace(/^-/, "");
    const isColumn = columns.some(([name]) => name === sort);
    return { sort: isColumn ? sort : usual, down: isColumn && text.startsWith("-") };
  };
  const makeHeads = (columns, view, changed) => {
    for (const [name, label] of columns) {
      const button = make("button", { type: "button" }, label);
      button.addEventListener("click", () => {
        view.down = view.sort === name && !view.down;
        view.sort = name;
        changed();
      });
      byId("heads").append(make("th", { role: "columnheader", scope: "col", class: `col-${name}`, "data-column": name }, button, make("span", { class: "printed" }, label)));
    }
  };
  const markHeads = (view) => {
    for (const head of byId("heads").children) {
      if (head.dataset.column === view.sort) head.setAttribute("aria-sort", view.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  };
  // The rows of the page, whose number and buttons are shown below the table.
  const rowsOfPage = (view) => {
    const pages = Math.max(1, Math.ceil(view.found.length / PAGE));
    const shown = view.found.slice(view.page * PAGE, (view.page + 1) * PAGE);
    byId("pager").hidden = pages === 1;
    byId("page").textContent = `${count(view.page * PAGE + 1)}–${count(view.page * PAGE + shown.length)} of ${count(view.found.length)}`;
    byId("previous").disabled = view.page === 0;
    byId("next").disabled = view.page === pages - 1;
    return view.all ? view.found : shown;
  };
  const makePages = (view, render) => {
    const turn = (by) => {
      view.page += by;
      render();
      byId("_table").scrollIntoView({ block: "start" });
    };
    byId("previous").addEventListener("click", () => turn(-1));
    byId("next").addEventListener("click", () => turn(1));
    addEventListener("beforeprint", () => { view.all = true; render(); });
    addEventListener("afterprint", () => { view.all = false; render(); });
  };
  // Of services and their ports, 53/tcp and 53/udp apart: how many are there, how many were found. nginx is named beside them.
  const countText = ([services, ports], [allServices, allPorts], isAll, nginx) => {
    const more = nginx ? ", and nginx" : "";
    if (isAll) return `${plural(allServices, "service")}, ${plural(allPorts, "port")}${more}`;
    return `${count(services)} of ${plural(allServices, "service")}, ${count(ports)} of ${plural(allPorts, "port")}${more}`;
  };
  // `search` shows what the fields ask for, `keep` puts it into the address. A browser lets a page change its address some
  // 200 times in half a minute: not with each letter. A long table is not searched with each letter either.
  const makeSearch = (filter, size, search, keep) => {
    let waiting = 0;
    const both = (byTyping) => {
      clearTimeout(waiting);
      search();
      keep(byTyping);
    };
    byId("search").addEventListener("input", () => {
      clearTimeout(waiting);
      if (size <= 2000) search();
      waiting = setTimeout(both, 200, true);
    });
    byId("search").addEventListener("change", () => { both(true); typing = false; });
    filter.addEventListener("change", () => both(false));
    byId("find").addEventListener("submit", (event) => { event.preventDefault(); both(true); });
  };

  // `/` leads to the search from everywhere; links within the page leave the state in the address alone.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) return;
    event.preventDefault();
    byId("search").focus();
  });
  for (const jump of document.querySelectorAll("a[data-jump]")) {
    jump.addEventListener("click", (event) => {
      event.preventDefault();
      const place = byId(jump.dataset.jump);
      place.focus({ preventScroll: true });
      place.scrollIntoView({ block: "start" });
    });
  }
