// The map of the zones. Without it, or where the browser cannot draw it, the picture beneath says the same.
"use strict";

(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const classes = () => ["match", ["get", "class"], ...[0, 1, 2, 3].flatMap((n) => [n, colour(`--class-${n}`)]), colour("--class-4")];

  function bounds(features) {
    const points = features.flatMap((one) => one.geometry.coordinates.flat(2));
    const [xs, ys] = [points.map((one) => one[0]), points.map((one) => one[1])];
    return [[Math.min(...xs), Math.min(...ys)], [Math.max(...xs), Math.max(...ys)]];
  }

  function named(feature) {
    const label = document.createElement("span");
    label.className = "zone-name";
    label.textContent = feature.properties.name;
    label.setAttribute("aria-label", feature.properties.name);
    const [[west, south], [east, north]] = bounds([feature]);
    return new maplibregl.Marker({ element: label }).setLngLat([(west + east) / 2, (south + north) / 2]);
  }

  async function draw(box) {
    const answer = await fetch(box.dataset.zones, { credentials: "same-origin" });
    if (!answer.ok) return;
    const zones = await answer.json();
    if (!zones.features.length || !box.isConnected) return;
    box.hidden = false;
    const quick = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const map = new maplibregl.Map({
      container: box,
      bounds: bounds(zones.features),
      fitBoundsOptions: { padding: 40 },
      attributionControl: false,
      cooperativeGestures: true,
      fadeDuration: quick ? 0 : 300,
      locale: JSON.parse(box.dataset.words),
      style: {
        version: 8,
        sources: { zones: { type: "geojson", data: zones } },
        layers: [
          { id: "ground", type: "background", paint: { "background-color": colour("--ground") } },
          { id: "fill", type: "fill", source: "zones", paint: { "fill-color": classes() } },
          { id: "line", type: "line", source: "zones", paint: { "line-color": colour("--line"), "line-width": 2 } },
        ],
      },
    });
    map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-left");
    // A name is no button, whatever the library takes markers for.
    zones.features.forEach((one) => named(one).addTo(map).getElement().setAttribute("role", "img"));
    map.once("idle", () => box.classList.add("drawn"));
  }

  function start() {
    const box = document.getElementById("map");
    if (!box || box.dataset.begun) return;
    box.dataset.begun = "yes";
    maplibregl.setWorkerUrl(box.dataset.worker);
    draw(box).catch(() => { box.hidden = true; });
  }

  document.addEventListener("htmx:afterSettle", start);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
