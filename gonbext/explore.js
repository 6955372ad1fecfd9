(() => {
	const root = document.currentScript.closest('[data-zeroshot="explore"]');
	const address = "{{address}}";
	const at = (mark) => root.querySelector(`[data-zeroshot="${mark}"]`);
	const knob = (i) => at(`knob-${i}`);
	let seq = 0, heard = Date.now(), comm = null, over = false;
	let sent = {}; // the last event of each control
	const pending = {}; // those that the cell has not answered
	const transmit = (what) => {
		if (!over) globalThis.gonb_comm?.send(address, JSON.stringify(what));
	};
	const send = (control, what) => {
		what.seq = sent[control] = ++seq;
		if (what.do !== "pong") pending[control] = what;
		transmit(what);
	};
	// VS Code and others have no such attribute.
	const theme = () => ({ true: "light", false: "dark" })[document.body.dataset.jpThemeLight] ?? "";
	let told = ""; // the theme that the cell knows
	const hello = () => send("hello", { do: "hello", text: told = theme() });
	// A connection that is made anew loses what was on its way. The cell knows by its number what it has seen.
	const again = () => Object.values(pending).sort((a, b) => a.seq - b.seq).forEach(transmit);
	const show = (i) => {
		const out = at(`value-${i}`);
		if (out) out.textContent = knob(i).value;
	};
	const receive = (_, text) => {
		if (over) return;
		const m = JSON.parse(text);
		heard = Date.now();
		for (const control in pending) {
			if (pending[control].seq <= m.ack) delete pending[control];
		}
		if (m.ping) {
			again();
			send("ping", { do: "pong" });
		}
		for (const mark in m.set ?? {}) {
			const el = at(mark);
			if (el) el.innerHTML = m.set[mark];
		}
		if (m.rev) {
			at("knobs").dataset.rev = m.rev;
			sent = {};
		}
		const theirs = (control) => (sent[control] ?? 0) <= m.ack;
		(m.knobs ?? []).forEach((k, i) => {
			const el = knob(i);
			// A slider that is being dragged is ahead of what the cell knows, and a range that grew under the mouse would run away.
			if (!el || el.matches(":active") || !theirs(`knob-${i}`)) return;
			if (el.type === "range") { el.min = k.min; el.max = k.max; }
			el.value = k.v;
			show(i);
		});
		// What is being typed stays.
		if (m.arch && theirs("arch") && at("arch") !== document.activeElement) at("arch").value = m.arch;
		if (m.space && theirs("space")) at("space").value = m.space;
		root.dataset.ack = m.ack;
	};
	root.addEventListener("input", (e) => {
		const i = e.target.dataset.knob;
		if (i === undefined) return;
		show(i);
		send(`knob-${i}`, { do: "knob", rev: +at("knobs").dataset.rev, knob: +i, value: +e.target.value });
	});
	root.addEventListener("change", (e) => {
		const mark = e.target.dataset.zeroshot;
		if (mark === "space" || mark === "arch") send(mark, { do: mark, text: e.target.value });
	});
	root.addEventListener("keydown", (e) => {
		// Outside a form, Chromium takes a text for changed only when the field is left.
		if (e.key === "Enter" && e.target.dataset.zeroshot === "arch") e.target.blur();
	});
	root.addEventListener("click", (e) => {
		const what = e.target.dataset.do;
		if (what) send(what, { do: what });
	});
	const watch = setInterval(() => {
		if (globalThis.gonb_comm && globalThis.gonb_comm !== comm) {
			// The kernel makes a new connection where it doubts the old one.
			comm = globalThis.gonb_comm;
			comm.subscribe(address, receive);
			again();
			hello();
		} else if (comm && root.isConnected && theme() !== told) {
			hello();
		}
		if (Date.now() - heard > 20000) {
			over = true;
			clearInterval(watch);
			at("status").textContent = "The cell does not run any more: run it again to go on.";
			root.querySelectorAll("select, input, button").forEach((el) => { el.disabled = true; });
		}
	}, 100);
})();
