"use strict";
{
  // --- what the page is about -----------------------------------------------------------------------------------------
  // The data's lines: the host, its projects, then its services by position. Everything is shown as text, never as markup.
  const FIELDS = ["name", "project", "title", "purpose", "status", "via", "allow", "ports", "route", "access", "reach", "open", "address", "health", "schedule", "assigned", "notes", "backend"];
  const PAGE = 100;          // rows of the table at a time
  const MOST_CELLS = 4000;   // with more cells than this the map is a drawing: each cell would be an element
  const [FREE, GROUP, HELD, PLANNED, RETIRED, RESERVED, CONFLICT] = [1, 2, 3, 4, 5, 6, 7];
  const KINDS = ["", "free", "group", "held", "planned", "retired", "reserved", "conflict"];

  const lines = document.getElementById("data").textContent.trim().split("\n");
  const [host, ...rest] = JSON.parse("[" + lines.join(",") + "]");
  const projects = rest.filter((entry) => !Array.isArray(entry));
  const services = rest.filter(Array.isArray).map((values) => Object.fromEntries(FIELDS.map((field, index) => [field, values[index]])));
  if (host.nginx.ports.length) {
    services.push({
      name: "nginx", project: null, title: "nginx", purpose: "The web server, in front of every route", status: "active", via: "nginx",
      allow: host.nginx.allow, ports: host.nginx.ports.map((port) => [port, port, "tcp", null]), route: null, access: "", reach: host.nginx.reach, open: [],
    });
  }
  const byName = new Map(projects.map((project) => [project.project, project]));
  const count = (number) => number.toLocaleString("en");
  const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;
  const span = ([first, last]) => (first === last ? `${first}` : `${first}–${last}`);
  const spans = (ranges, most = 8) => ranges.slice(0, most).map(span).join(", ") + (ranges.length > most ? ` and ${ranges.length - most} more` : "");
  const size = (ranges) => ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  const within = (ranges, port) => ranges.some(([first, last]) => first <= port && port <= last);
  const titleOf = (service) => (byName.has(service.project) ? byName.get(service.project).title : "The host itself");

  const state = new Uint8Array(65536);    // the kind of each port; 0: no project owns it
  const owner = new Map();                // project by port, filled range by range
  const groupOf = new Int16Array(65536).fill(-1);
  const holders = new Map();              // services by port

  for (const service of services) {
    for (const port of new Set(service.ports.map((entry) => entry[0]))) holders.set(port, [...(holders.get(port) || []), service]);
    service.first = service.ports.length ? service.ports[0][0] : Infinity;
  }
  const transports = (service, port) => service.ports.filter((entry) => entry[0] === port).map((entry) => (entry[2] === "udp" ? "udp" : "tcp"));
  const isConflict = (port) => {
    const seen = (holders.get(port) || []).flatMap((service) => transports(service, port));
    return new Set(seen).size < seen.length;
  };
  const HOLDING = { active: HELD, planned: PLANNED, retired: RETIRED };
  for (const project of projects) {
    for (const [first, last] of project.ports) {
      state.fill(RESERVED, first, last + 1);
      for (let port = first; port <= last; port++) owner.set(port, project);
    }
    for (const [first, last] of project.free) state.fill(FREE, first, last + 1);
    project.groups.forEach((group, index) => {
      for (const [first, last] of group.ports) groupOf.fill(index, first, last + 1);
      for (const [first, last] of group.free) state.fill(GROUP, first, last + 1);
    });
  }
  let conflicts = 0;
  for (const [port, entries] of holders) {
    const clash = isConflict(port);
    if (clash) conflicts++;
    if (clash) for (const service of entries) service.clash = true;
    if (state[port]) state[port] = clash ? CONFLICT : Math.min(...entries.map((service) => HOLDING[service.status]));
  }
  for (const project of projects) {
    const counts = new Array(8).fill(0);
    for (const [first, last] of project.ports) for (let port = first; port <= last; port++) counts[state[port]]++;
    project.counts = counts;
    project.size = size(project.ports);
    project.taken = counts[HELD] + counts[PLANNED] + counts[RETIRED] + counts[CONFLICT];
    project.left = counts[FREE] + counts[GROUP];
  }

  // --- small tools ----------------------------------------------------------------------------------------------------
  const byId = (id) => document.getElementById(id);
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  };
  const link = (path) => {
    // The inventory gives the path only. Scheme and host come from the base, so this is always a link to this host.
    if (!host.url || !path.startsWith("/") || path.startsWith("//")) return null;
    return host.url + path;
  };

  // --- head -----------------------------------------------------------------------------------------------------------
  const sum = (key) => projects.reduce((total, project) => total + project[key], 0);
  const open = services.filter((service) => service.status === "active" && service.project !== null && service.open.length).length;
  const own = services.filter((service) => service.project !== null);
  if (host.url) byId("where").append(make("a", { href: host.url + "/" }, host.url.replace(/^https?:\/\//, "")), " · ");
  byId("where").append(`${plural(own.length, "service")} in ${plural(projects.length, "project")}`);
  const total = (number, words, kind = "") => byId("totals").append(make("div", { class: number ? kind : `${kind} none` }, make("dt", {}, words), make("dd", {}, count(number))));
  total(sum("taken"), "ports held", "held");
  total(sum("left"), "free");
  total(own.filter((service) => service.route && service.status === "active").length, "routes");
  total(open, "open to anyone");
  total(conflicts, conflicts === 1 ? "conflict" : "conflicts", conflicts ? "bad" : "");

  const meanings = [[HELD, "held"], [PLANNED, "planned service"], [RETIRED, "retired, held back"], [FREE, "free"], [GROUP, "free, for a group"], [RESERVED, "reserved"], [CONFLICT, "held twice"]];
  for (const [kind, words] of meanings) {
    const used = projects.some((project) => project.counts[kind]);
    if (used) byId("legend").append(make("li", {}, make("span", { class: `cell ${KINDS[kind]}`, "aria-hidden": "true" }), words));
  }

  // --- what a port is, in words ---------------------------------------------------------------------------------------
  const describe = (port) => {
    const entries = holders.get(port) || [];
    const kind = state[port];
    if (entries.length) {
      const more = entries.map((service) => {
        const words = [service.status !== "active" ? service.status : null, service.via, `open to ${service.reach}`, service.access ? `${service.route} (${service.access})` : service.route];
        return words.filter(Boolean).join(" · ");
      });
      return { title: (isConflict(port) ? "Held twice: " : "") + entries.map((service) => service.title).join(", "), more, status: entries[0].status };
    }
    const project = owner.get(port);
    const group = project && groupOf[port] >= 0 ? project.groups[groupOf[port]] : null;
    if (kind === FREE) return { title: "Free", more: [project.title] };
    if (kind === GROUP) return { title: `Free, for ${group.name}`, more: [group.purpose || project.title] };
    const reason = within(host.reserved, port) ? "on this host" : project && within(project.reserved, port) ? "in this project" : port < 1024 ? "privileged" : "claimed more than once";
    return { title: "Reserved", more: [reason] };
  };
  const spoken = (port) => {
    const { title, more } = describe(port);
    return `${port}: ${title}, ${more.join("; ")}`;
  };

  const tip = byId("tip");
  const showTip = (port, box) => {
    const { title, more } = describe(port);
    tip.replaceChildren(make("span", { class: "port" }, `${port}`), make("b", {}, title), ...more.map((text) => make("p", {}, text)));
    tip.hidden = false;
    const width = tip.offsetWidth;
    const left = Math.max(8, Math.min(box.left + box.width / 2 - width / 2, document.documentElement.clientWidth - width - 8));
    const above = box.top - tip.offsetHeight - 8;
    tip.style.left = `${left + scrollX}px`;
    tip.style.top = `${(above > 4 ? above : box.bottom + 8) + scrollY}px`;
  };
  const hideTip = () => { tip.hidden = true; };
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });

  // --- map ------------------------------------------------------------------------------------------------------------
  // Rows begin at round numbers, so that a port is easy to find; a range that fits into one row begins at its first port.
  const rowsOf = (project, columns) => {
    const low = Math.min(...project.ports.map(([first]) => first));
    const high = Math.max(...project.ports.map(([, last]) => last));
    const base = high - low < columns ? low : Math.floor(low / columns) * columns;
    const found = new Set();
    for (const [first, last] of project.ports) {
      for (let row = Math.floor((first - base) / columns); row <= Math.floor((last - base) / columns); row++) found.add(row);
    }
    return { low, high, rows: [...found].sort((a, b) => a - b).map((row) => base + row * columns) };
  };
  // The port that a key leads to, within the project; null if there is none in that direction.
  const target = (project, layout, port, key, ctrl) => {
    const owned = (number) => owner.get(number) === project;
    const step = (from, by) => {
      for (let next = from + by; next >= layout.low && next <= layout.high; next += by) if (owned(next)) return next;
      return null;
    };
    const taken = (from, by) => {
      for (let next = step(from, by); next !== null; next = step(next, by)) if (holders.has(next)) return next;
      return null;
    };
    const row = layout.rows.findLast((first) => first <= port);
    const edge = (from, by) => (owned(from) ? from : step(from, by));
    switch (key) {
      case "ArrowLeft": return step(port, -1);
      case "ArrowRight": return step(port, 1);
      case "ArrowUp": return step(port, -layout.columns);
      case "ArrowDown": return step(port, layout.columns);
      case "Home": return edge(ctrl ? layout.low : Math.max(row, layout.low), 1);
      case "End": return edge(ctrl ? layout.high : Math.min(row + layout.columns - 1, layout.high), -1);
      case "PageUp": return taken(port, -1);
      case "PageDown": return taken(port, 1);
      default: return undefined;
    }
  };
  const firstOf = (project) => {
    for (const [first, last] of project.ports) for (let port = first; port <= last; port++) if (holders.has(port)) return port;
    return project.ports[0][0];
  };
  const onKey = (map, event) => {
    if (event.altKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      const entries = holders.get(map.port);
      if (entries) show(entries[0]);
      return;
    }
    const next = target(map.project, map.layout, map.port, event.key, event.ctrlKey);
    if (next === undefined) return;
    event.preventDefault();
    if (next !== null) map.move(next);
  };

  const drawn = projects.reduce((cells, project) => cells + project.size, 0) > MOST_CELLS;
  const choose = (project, width) => {
    const label = String(Math.max(...project.ports.map(([, last]) => last))).length * 8 + 10;
    const room = width - label;
    if (drawn) {
      // Cells large enough to tell apart; smaller ones if the drawing would be taller than a screen.
      const fitting = [10, 20, 50, 100, 200, 250, 500].filter((number) => room / number >= 2.5);
      const pitchOf = (number) => (room / number >= 6 ? Math.min(14, Math.floor(room / number)) : Math.floor((room / number) * 4) / 4);
      const fine = fitting.slice(Math.max(0, fitting.findLastIndex((number) => room / number >= 8)));
      const columns = fine.find((number) => (project.size / number) * pitchOf(number) <= 640) || fine[fine.length - 1] || 10;
      const pitch = Math.max(2, pitchOf(columns));
      return { label, columns, pitch, gap: pitch >= 4 ? 1 : 0, ten: 0 };
    }
    // The longest row whose cells are still large enough for a pointer, or on a phone for a thumb.
    const columns = [100, 50, 25, 20, 10].find((number) => room / number >= (room < 500 ? 12 : 16)) || 10;
    const ten = columns > 10 ? 5 : 0;
    const fit = (room - ten * (Math.ceil(columns / 10) - 1)) / columns;
    return { label, columns, ten, gap: 2, pitch: Math.min(32, Math.floor(fit * 4) / 4) };
  };

  const buildGrid = (map) => {
    const { project, layout } = map;
    const grid = make("div", { class: "grid", role: "grid", "aria-label": `Ports of ${project.title}`, "aria-describedby": "map-keys" });
    grid.style.setProperty("--label", `${layout.label}px`);
    grid.style.setProperty("--size", `${layout.pitch - layout.gap}px`);
    grid.style.setProperty("--gap", `${layout.gap}px`);
    grid.style.setProperty("--ten", `${layout.ten}px`);
    map.cells = new Map();
    let before = null;
    for (const start of layout.rows) {
      if (before !== null && start > before + layout.columns) grid.append(make("p", { class: "skipped", "aria-hidden": "true" }, "⋮"));
      before = start;
      const row = make("div", { class: "row", role: "row" }, make("span", { class: "label", role: "rowheader" }, `${start}`));
      const end = Math.min(start + layout.columns - 1, layout.high);
      for (let port = start; port <= end; port++) {
        const ten = port > start && (port - start) % 10 === 0 ? " ten" : "";
        if (owner.get(port) !== project) {
          row.append(make("span", { class: `cell ${port > layout.low && owner.has(port) ? "foreign" : "void"}${ten}`, role: "presentation" }));
          continue;
        }
        const odd = groupOf[port] % 2 === 1 ? " odd" : "";
        const cell = make("div", { class: `cell ${KINDS[state[port]]}${odd}${ten}`, role: "gridcell", tabindex: port === map.port ? 0 : -1, "aria-label": spoken(port) });
        cell.dataset.port = port;
        map.cells.set(port, cell);
        row.append(cell);
      }
      grid.append(row);
    }
    map.move = (port) => map.cells.get(port).focus();
    const portAt = (event) => (event.target.dataset && event.target.dataset.port ? Number(event.target.dataset.port) : null);
    grid.addEventListener("keydown", (event) => onKey(map, event));
    grid.addEventListener("focusin", (event) => {
      const port = portAt(event);
      if (port === null) return;
      // The next Tab back into the grid comes to this cell again.
      map.cells.get(map.port).tabIndex = -1;
      map.port = port;
      event.target.tabIndex = 0;
      if (event.target.matches(":focus-visible")) showTip(port, event.target.getBoundingClientRect());
    });
    grid.addEventListener("focusout", hideTip);
    grid.addEventListener("pointerover", (event) => {
      const port = portAt(event);
      if (port === null) hideTip();
      else showTip(port, event.target.getBoundingClientRect());
    });
    grid.addEventListener("pointerleave", hideTip);
    grid.addEventListener("click", (event) => {
      const port = portAt(event);
      if (port !== null && holders.has(port)) show(holders.get(port)[0]);
    });
    map.pick = (ranges) => {
      grid.classList.toggle("pick", ranges !== null);
      for (const [port, cell] of map.cells) cell.classList.toggle("picked", ranges !== null && within(ranges, port));
    };
    return grid;
  };

  // The same map as one canvas. For the keyboard and for screen readers it is a slider whose value is the port.
  const buildPicture = (map) => {
    const { project, layout } = map;
    const { pitch, columns, gap, rows } = layout;
    const width = columns * pitch;
    const height = rows.length * pitch;
    const index = new Map(rows.map((start, row) => [start, row]));
    const canvas = make("canvas", { "aria-hidden": "true" });
    const cursor = make("div", { class: "cursor", hidden: "" });
    const stage = make("div", {
      class: "stage", tabindex: 0, role: "slider", "aria-roledescription": "port map", "aria-label": `Ports of ${project.title}`, "aria-describedby": "map-keys",
      "aria-valuemin": layout.low, "aria-valuemax": layout.high,
    }, canvas, cursor);
    stage.style.width = canvas.style.width = `${width}px`;
    stage.style.height = canvas.style.height = `${height}px`;
    const place = (port) => {
      const start = rows.findLast((first) => first <= port);
      return [(port - start) * pitch, index.get(start) * pitch];
    };
    map.paint = () => {
      const scale = Math.min(devicePixelRatio || 1, 2);
      canvas.width = width * scale;
      canvas.height = height * scale;
      const context = canvas.getContext("2d");
      const style = getComputedStyle(document.documentElement);
      const colour = (name) => style.getPropertyValue(`--${name}`).trim();
      const colours = ["", colour("free"), colour("group"), colour("accent"), colour("accent"), colour("retired"), colour("reserved"), colour("conflict")];
      const odd = colour("group-2");
      // Whole pixels of the screen, so that neighbouring cells neither overlap nor leave a line between them.
      const edge = (cells) => Math.round(cells * pitch * scale);
      const line = Math.round(gap * scale);
      context.lineWidth = scale;
      rows.forEach((start, row) => {
        const [top, height] = [edge(row), edge(row + 1) - edge(row) - line];
        for (let column = 0; column < columns; column++) {
          const port = start + column;
          if (port > layout.high || owner.get(port) !== project) continue;
          const kind = state[port];
          const [left, width] = [edge(column), edge(column + 1) - edge(column) - line];
          context.fillStyle = context.strokeStyle = kind === GROUP && groupOf[port] % 2 === 1 ? odd : colours[kind];
          context.globalAlpha = kind === PLANNED && !gap ? 0.5 : 1;
          if (kind === PLANNED && gap) context.strokeRect(left + scale / 2, top + scale / 2, width - scale, height - scale);
          else context.fillRect(left, top, width, height);
        }
      });
    };
    const set = (port) => {
      map.port = port;
      stage.setAttribute("aria-valuenow", port);
      stage.setAttribute("aria-valuetext", spoken(port));
    };
    const boxOf = (port) => {
      const [left, top] = place(port);
      const edge = stage.getBoundingClientRect();
      return new DOMRect(edge.left + left, edge.top + top, pitch, pitch);
    };
    const mark = (port) => {
      const [left, top] = place(port);
      Object.assign(cursor.style, { left: `${left - 3}px`, top: `${top - 3}px`, width: `${pitch - gap + 6}px`, height: `${pitch - gap + 6}px` });
      cursor.hidden = false;
    };
    map.move = (port) => {
      set(port);
      mark(port);
      cursor.scrollIntoView({ block: "nearest" });
      showTip(port, boxOf(port));
    };
    const portAt = (event) => {
      const edge = stage.getBoundingClientRect();
      const row = rows[Math.floor((event.clientY - edge.top) / pitch)];
      const column = Math.floor((event.clientX - edge.left) / pitch);
      const port = row === undefined || column < 0 || column >= columns ? null : row + column;
      return port !== null && owner.get(port) === project ? port : null;
    };
    stage.addEventListener("keydown", (event) => onKey(map, event));
    stage.addEventListener("focus", () => { if (stage.matches(":focus-visible")) map.move(map.port); });
    stage.addEventListener("blur", () => { cursor.hidden = true; hideTip(); });
    stage.addEventListener("pointermove", (event) => {
      const port = portAt(event);
      if (port === null) { cursor.hidden = true; hideTip(); return; }
      mark(port);
      stage.style.cursor = holders.has(port) ? "pointer" : "default";
      showTip(port, boxOf(port));
    });
    stage.addEventListener("pointerleave", () => { cursor.hidden = true; hideTip(); });
    stage.addEventListener("click", (event) => {
      const port = portAt(event);
      if (port === null) return;
      set(port);
      if (holders.has(port)) show(holders.get(port)[0]);
    });
    map.pick = () => {};
    set(map.port);
    map.paint();
    // Only as many labels as there is room for.
    const every = Math.max(1, Math.ceil(16 / pitch));
    const labels = make("div", { class: "labels", "aria-hidden": "true" });
    rows.forEach((start, row) => {
      if (row % every) return;
      const label = make("span", {}, `${start}`);
      label.style.top = `${row * pitch}px`;
      labels.append(label);
    });
    const picture = make("div", { class: "picture" }, labels, stage);
    picture.style.setProperty("--label", `${layout.label}px`);
    return picture;
  };

  const maps = [];
  for (const project of projects) {
    const broad = project.size > 30 || project.groups.length > 0;
    const card = make("article", { class: !broad ? "card" : projects.length > 8 && project.size <= 1000 ? "card half" : "card wide" });
    const head = make("header", {}, make("h3", {}, project.title), make("span", { class: "range" }, spans(project.ports) || "no ports"));
    if (project.status !== "active") head.append(make("span", { class: `state ${project.status}` }, project.status));
    if (!project.size) head.append(make("span", { class: "fill" }, plural(services.filter((service) => service.project === project.project).length, "service")));
    else head.append(make("span", { class: "fill" }, make("b", {}, count(project.taken)), ` of ${count(project.size)} held · ${count(project.left)} free`));
    if (project.free.length) head.lastChild.append(", next ", make("span", {}, `${project.free[0][0]}`));
    card.append(head);
    const about = [project.purpose, project.shared_by.length ? `shared by ${project.shared_by.join(", ")}` : null, project.network].filter(Boolean).join(" · ");
    if (about) card.append(make("p", { class: "about" }, about));
    byId("cards").append(card);
    if (!project.size) continue;
    const gauge = make("div", { class: "gauge", "aria-hidden": "true" });
    const share = (kinds, name) => {
      const part = kinds.reduce((all, kind) => all + project.counts[kind], 0) / project.size;
      if (part) gauge.append(Object.assign(make("i", { class: name })));
      if (part) gauge.lastChild.style.width = `${part * 100}%`;
    };
    share([HELD, CONFLICT], "held");
    share([PLANNED], "planned");
    share([RETIRED, RESERVED], "closed");
    const room = make("div", { class: "map" });
    const map = { project, port: firstOf(project), room };
    if (project.groups.length) {
      const list = make("ul", { class: "groups", "aria-label": `Groups of ${project.title}` });
      for (const group of project.groups) {
        const item = make("li", {}, make("b", {}, group.name), make("span", {}, `${count(size(group.free))} free`), make("span", { class: "mono" }, spans(group.ports)));
        if (group.purpose) item.append(make("span", { class: "why" }, group.purpose));
        item.addEventListener("pointerenter", () => map.pick(group.ports));
        item.addEventListener("pointerleave", () => map.pick(null));
        list.append(item);
      }
      card.append(gauge, room, list);
    } else card.append(gauge, room);
    maps.push(map);
  }
  const layOut = (map) => {
    const width = map.room.clientWidth;
    if (!width || width === map.width) return;
    map.width = width;
    const chosen = choose(map.project, width);
    map.layout = { ...chosen, ...rowsOf(map.project, chosen.columns) };
    const focused = map.room.contains(document.activeElement);
    map.room.replaceChildren(drawn ? buildPicture(map) : buildGrid(map));
    if (focused) map.room.querySelector("[tabindex='0']").focus();
  };
  maps.forEach(layOut);
  const watcher = new ResizeObserver((entries) => { for (const { target: room } of entries) layOut(maps.find((map) => map.room === room)); });
  for (const map of maps) watcher.observe(map.room);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (drawn) for (const map of maps) map.paint(); });

  // Ports of the host itself, which belong to no project.
  const outside = [...holders.keys()].filter((port) => !owner.has(port) && holders.get(port).some((service) => service.project !== null)).sort((a, b) => a - b);
  if (host.nginx.ports.length || host.reserved.length || outside.length) {
    const card = make("article", { class: "card" }, make("header", {}, make("h3", {}, "The host itself")), make("p", { class: "about" }, "Ports of no project"));
    const facts = make("dl", { class: "facts" });
    if (host.nginx.ports.length) facts.append(make("dt", {}, "nginx"), make("dd", { class: "mono" }, host.nginx.ports.join(", ")));
    if (host.reserved.length) facts.append(make("dt", {}, "reserved"), make("dd", { class: "mono" }, spans(host.reserved, 20)));
    if (outside.length) facts.append(make("dt", {}, "outside their projects"), make("dd", { class: "mono" }, outside.map((port) => `${port} ${holders.get(port)[0].name}`).join(", ")));
    card.append(facts);
    byId("cards").append(card);
  }

  // --- table ----------------------------------------------------------------------------------------------------------
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const COLUMNS = [
    ["port", "Port", (service) => service.first],
    ["service", "Service", (service) => service.title],
    ["project", "Project", (service) => titleOf(service)],
    ["via", "Via", (service) => service.via + (service.address || "")],
    ["allow", "Open to", (service) => service.reach],
    ["route", "Route", (service) => service.route || "\uffff"],
    ["status", "Status", (service) => service.status],
    ["assigned", "Assigned", (service) => service.assigned || "\uffff"],
  ];
  const view = { sort: "port", down: false, page: 0, found: services, open: null };
  const further = (service) => {
    const text = ([port, , protocol]) => (protocol === "udp" ? `${port}/udp` : `${port}`);
    const [first, ...others] = service.ports;
    const more = others.length > 3 ? [...others.slice(0, 2).map(text), `and ${others.length - 2} more`] : others.map(text);
    return [first && first[2] === "udp" ? "udp" : null, ...more].filter(Boolean).join(" ");
  };
  const words = (service) => {
    // A number alone is searched in host ports and names; after a colon it is a container's port.
    if (!service.words) {
      service.named = [service.name, service.title, service.purpose].filter(Boolean).join(" ").toLowerCase();
      const ends = service.ports.filter(([, inner]) => inner !== null).map(([, inner]) => `${service.address || ""}:${inner}`);
      const parts = [service.named, service.project, titleOf(service), service.status, service.via, ...service.allow, service.reach, service.route, service.access, service.schedule, service.assigned, service.health, ...ends];
      service.words = [...parts, ...service.ports.map((port) => port[2])].filter(Boolean).join(" ").toLowerCase();
    }
    return service.words;
  };
  const matcher = (token) => {
    const range = token.match(/^(\d+)[-–](\d+)$/);
    if (range) return (service) => service.ports.some(([port]) => Number(range[1]) <= port && port <= Number(range[2]));
    if (/^\d+$/.test(token)) {
      const word = new RegExp(`(^|[^0-9])${token}([^0-9]|$)`);
      return (service) => words(service) && (service.ports.some(([port]) => String(port).startsWith(token)) || word.test(service.named));
    }
    return (service) => words(service).includes(token);
  };
  const find = () => {
    const tests = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean).map(matcher);
    const project = byId("project").value;
    view.found = services.filter((service) => (!project || service.project === project) && tests.every((test) => test(service)));
    const [, , key] = COLUMNS.find(([name]) => name === view.sort);
    const keyed = view.found.map((service) => [key(service), service]);
    const compare = view.sort === "port" ? ([a], [b]) => (a === b ? 0 : a < b ? -1 : 1) : ([a], [b]) => collator.compare(a, b);
    const turn = view.down ? -1 : 1;
    keyed.sort((a, b) => {
      // Services without a port, route or date come last, in both sort directions.
      const last = (value) => value === Infinity || value === "\uffff";
      if (last(a[0]) !== last(b[0])) return last(a[0]) ? 1 : -1;
      return compare(a, b) * turn || a[1].first - b[1].first || collator.compare(a[1].title, b[1].title);
    });
    view.found = keyed.map(([, service]) => service);
    view.page = 0;
  };

  const cell = (name, label, ...children) => make("td", { role: "cell", class: `col-${name}${children.length ? "" : " empty"}`, "data-label": label }, ...children);
  const detail = (service) => {
    const [first] = service.ports;
    const leads = first && service.status !== "retired";
    const chain = make("ol", { class: "chain", "aria-label": "How it is reached" });
    const step = (text) => chain.append(make("li", {}, make("span", {}, text)));
    if (leads) {
      if (service.route) { step(host.url ? host.url.replace(/^https?:\/\//, "") + service.route : service.route); step("nginx"); }
      step(service.route ? service.backend : `${host.host}:${first[0]}`);
      // nginx may connect to the container's own address: then nothing is in between.
      const straight = service.route && !service.backend.startsWith("127.0.0.1:");
      if (!straight && service.via === "socat") { if (first[3]) step(first[3]); step(`${service.address || "container"}:${first[1]}`); }
      if (!straight && service.via === "docker") { step("dockerd"); step(`${service.address || "container"}:${first[1]}`); }
      if (!straight && host.listeners[service.via]) step(host.listeners[service.via]);
      if (service.via === "nginx") step("nginx");
    }
    const facts = make("dl", { class: "facts" });
    const fact = (name, value) => { if (value) facts.append(make("dt", {}, name), make("dd", {}, value)); };
    fact("Name", service.name);
    fact("Ports", service.ports.length > 1 ? service.ports.map(([port, inner, protocol]) => (inner === null ? `${port} ${protocol}` : `${port} → ${inner} ${protocol}`)).join("\n") : "");
    fact("Route", service.access ? `${service.route} (${service.access})` : "");
    fact("Health", service.health);
    fact("Runs", service.schedule);
    fact("Assigned", service.assigned);
    fact("Notes", service.notes);
    return make("tr", { class: "detail", role: "row", id: `detail-${service.name}` }, make("td", { role: "cell", class: "empty" }), make("td", { role: "cell", colspan: COLUMNS.length - 1 }, ...(leads ? [chain] : []), facts));
  };
  const row = (service) => {
    const expanded = view.open === service;
    const more = make("button", { type: "button", class: "more", "aria-expanded": String(expanded), "aria-controls": expanded ? `detail-${service.name}` : null }, service.title);
    more.addEventListener("click", () => {
      view.open = view.open === service ? null : service;
      render();
      focusRow(service);
    });
    const port = make("td", { role: "cell", class: "port col-port" }, service.ports.length ? `${service.ports[0][0]}` : "–");
    if (further(service)) port.append(make("small", {}, further(service)));
    const route = [];
    if (service.route) {
      const address = service.status === "active" ? link(service.route) : null;
      route.push(address ? make("a", { href: address, class: "mono" }, service.route) : make("span", { class: "mono" }, service.route));
      if (service.access) route.push(make("span", { class: service.open.includes("route") ? "access any" : "access" }, service.access));
    }
    const via = !service.ports.length ? (service.schedule ? [service.schedule] : [])
      : [service.via, service.address ? make("span", { class: "mono" }, ` ${service.address}:${service.ports[0][1]}`) : ""];
    const status = service.clash ? "conflict" : service.status;
    const element = make("tr", { class: "service", role: "row", "data-name": service.name },
      port,
      make("td", { role: "cell", class: "col-service" }, more, service.purpose ? make("span", { class: "purpose" }, service.purpose) : null),
      cell("project", "", titleOf(service)),
      cell("via", service.ports.length ? "by" : "runs", ...via),
      cell("allow", "open to", ...(service.ports.length ? [make("span", { class: service.open.includes("port") ? "any" : null }, service.reach)] : [])),
      cell("route", "", ...route),
      cell("status", "", make("span", { class: `state ${status}` }, status === "conflict" ? `${service.status}, held twice` : status)),
      cell("assigned", "", ...(service.assigned ? [service.assigned] : [])));
    element.children[7].classList.add("thin");
    return element;
  };
  const render = () => {
    const pages = Math.max(1, Math.ceil(view.found.length / PAGE));
    const shown = view.found.slice(view.page * PAGE, (view.page + 1) * PAGE);
    byId("rows").replaceChildren(...shown.flatMap((service) => (view.open === service ? [row(service), detail(service)] : [row(service)])));
    byId("pager").hidden = pages === 1;
    byId("page").textContent = `${count(view.page * PAGE + 1)}–${count(view.page * PAGE + shown.length)} of ${count(view.found.length)}`;
    byId("previous").disabled = view.page === 0;
    byId("next").disabled = view.page === pages - 1;
    byId("nothing").hidden = view.found.length > 0;
    byId("nothing").textContent = `No service matches. Ports that no service has are not in the table: see the map.`;
    const all = view.found.length === services.length;
    byId("count").textContent = all ? plural(services.length, "service") : `${count(view.found.length)} of ${plural(services.length, "service")}`;
    for (const head of byId("heads").children) {
      if (head.dataset.column === view.sort) head.setAttribute("aria-sort", view.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  };
  const focusRow = (service) => {
    const element = byId("rows").querySelector(`[data-name="${service.name}"]`);
    element.querySelector(".more").focus({ preventScroll: true });
    return element;
  };
  const show = (service) => {
    hideTip();
    byId("search").value = "";
    byId("project").value = "";
    view.open = service;
    find();
    view.page = Math.floor(view.found.indexOf(service) / PAGE);
    render();
    focusRow(service).scrollIntoView({ block: "center" });
  };

  for (const [name, label] of COLUMNS) {
    const button = make("button", { type: "button" }, label);
    button.addEventListener("click", () => {
      view.down = view.sort === name && !view.down;
      view.sort = name;
      find();
      render();
    });
    byId("heads").append(make("th", { role: "columnheader", scope: "col", class: `col-${name}`, "data-column": name }, button));
  }
  for (const project of projects) byId("project").append(make("option", { value: project.project }, project.title));
  let waiting = 0;
  const search = () => { find(); render(); };
  byId("search").addEventListener("input", () => {
    clearTimeout(waiting);
    if (services.length > 2000) waiting = setTimeout(search, 120);
    else search();
  });
  byId("project").addEventListener("change", search);
  byId("find").addEventListener("submit", (event) => { event.preventDefault(); search(); });
  const turnTo = (page) => {
    view.page = page;
    render();
    byId("services").scrollIntoView({ block: "start" });
  };
  byId("previous").addEventListener("click", () => turnTo(view.page - 1));
  byId("next").addEventListener("click", () => turnTo(view.page + 1));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) return;
    event.preventDefault();
    byId("search").focus();
  });

  // `ports.html#smartnumbers` and `ports.html#5007` show a service, so that people can link to it.
  const follow = () => {
    const wanted = location.hash.slice(1);
    const service = wanted && (services.find((one) => one.name === wanted) || (holders.get(Number(wanted)) || [])[0]);
    if (service) show(service);
  };
  find();
  render();
  addEventListener("hashchange", follow);
  follow();
}
