package notebooks

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what a person would see in a second or two: machines may be slow and busy.
const patience = 3 * time.Minute

// chromium is a browser without a window, driven over a pipe by the DevTools protocol, https://chromedevtools.github.io/devtools-protocol. The pipe needs no library: messages are JSON with a zero byte behind each.
type chromium struct {
	mu      sync.Mutex
	pipe    io.WriteCloser
	last    int
	replies map[int]chan reply
	asked   map[string]bool // addresses asked for, by pages and their workers
	errors  []string        // exceptions and errors on the console
	ended   chan struct{}   // closed when the browser closes the pipe
}

type reply struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

// findChromium skips the test where there is no browser.
func findChromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("neither chromium, chromium-browser nor google-chrome is on the PATH: install Chromium and a font (on Debian: apt-get install chromium fonts-dejavu-core)")
	return ""
}

// startChromium starts a browser that ends with the test.
func startChromium(t *testing.T) *chromium {
	t.Helper()
	home := t.TempDir()
	c := exec.Command(findChromium(t), "--headless", "--remote-debugging-pipe", "--user-data-dir="+filepath.Join(home, "profile"),
		"--no-first-run", "--no-default-browser-check", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-default-apps", "--disable-breakpad",
		"--disable-gpu", "--disable-dev-shm-usage", "--force-color-profile=srgb", "--password-store=basic", "--window-size=1280,1000",
		// What is asked of another machine is recorded, and does not leave.
		"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost", "about:blank")
	if os.Geteuid() == 0 {
		c.Args = append(c.Args, "--no-sandbox")
	}
	c.Env = append(os.Environ(), "HOME="+home)
	theirs, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	back, answers, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.ExtraFiles = []*os.File{theirs, answers} // 3 and 4
	var log bytes.Buffer
	c.Stderr = &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	answers.Close()
	b := &chromium{pipe: ours, replies: map[int]chan reply{}, asked: map[string]bool{}, ended: make(chan struct{})}
	go b.listen(back)
	t.Cleanup(func() {
		// It ends when its pipe does.
		ours.Close()
		overdue := time.AfterFunc(20*time.Second, func() { _ = c.Process.Kill() })
		_ = c.Wait()
		if !overdue.Stop() {
			t.Error("Chromium did not end when its pipe was closed, and was killed")
		}
		back.Close()
		if t.Failed() {
			t.Logf("Chromium says:\n%s", log.String())
		}
	})
	// Every page and worker is held until its requests are watched, see listen.
	if err := b.call("", "Target.setAutoAttach", watch, nil); err != nil {
		t.Fatal(err)
	}
	return b
}

type args = map[string]any

var watch = args{"autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true, "filter": []args{{"type": "page"}, {"type": "iframe"}, {"type": "worker"}, {"type": "shared_worker"}, {"type": "service_worker"}}}

// call asks for a method in a session, "" is the browser's, and reads the answer into result.
func (b *chromium) call(session, method string, params args, result any) error {
	answer, err := b.post(session, method, params)
	if err != nil {
		return err
	}
	select {
	case r := <-answer:
		if r.Error != nil {
			return fmt.Errorf("%s: %s", method, r.Error.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(r.Result, result)
	case <-b.ended:
		return fmt.Errorf("%s: the browser has ended", method)
	case <-time.After(patience):
		return fmt.Errorf("%s: no answer in %s", method, patience)
	}
}

func (b *chromium) post(session, method string, params args) (<-chan reply, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	m := args{"id": b.last, "method": method}
	if params != nil {
		m["params"] = params
	}
	if session != "" {
		m["sessionId"] = session
	}
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	answer := make(chan reply, 1)
	b.replies[b.last] = answer
	_, err = b.pipe.Write(append(text, 0))
	return answer, err
}

// listen reads what the browser says until it ends.
func (b *chromium) listen(r io.Reader) {
	defer close(b.ended)
	in := bufio.NewReader(r)
	for {
		text, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var m struct {
			reply
			ID     int
			Method string
			Params struct {
				SessionID        string
				URL              string
				Request          struct{ URL string }
				Type             string
				Args             []struct{ Value, Description any }
				ExceptionDetails struct {
					Text      string
					Exception struct{ Description string }
				}
				Entry struct{ Level, Text, URL string }
			}
		}
		if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
			b.complain("the browser says what is not understood: " + err.Error())
			continue
		}
		p := m.Params
		switch m.Method {
		case "":
			b.mu.Lock()
			answer := b.replies[m.ID]
			delete(b.replies, m.ID)
			b.mu.Unlock()
			answer <- m.reply
		case "Target.attachedToTarget":
			for _, method := range []string{"Network.enable", "Runtime.enable", "Log.enable"} {
				_, _ = b.post(p.SessionID, method, nil)
			}
			_, _ = b.post(p.SessionID, "Target.setAutoAttach", watch)
			_, _ = b.post(p.SessionID, "Runtime.runIfWaitingForDebugger", nil)
		case "Network.requestWillBeSent":
			b.ask(p.Request.URL)
		case "Network.webSocketCreated":
			b.ask(p.URL)
		case "Runtime.exceptionThrown":
			b.complain(p.ExceptionDetails.Text + " " + p.ExceptionDetails.Exception.Description)
		case "Runtime.consoleAPICalled":
			if p.Type == "error" {
				b.complain(fmt.Sprint(p.Args))
			}
		case "Log.entryAdded":
			if p.Entry.Level == "error" {
				b.complain(p.Entry.Text + " " + p.Entry.URL)
			}
		}
	}
}

func (b *chromium) ask(address string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked[address] = true
}

func (b *chromium) complain(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.errors = append(b.errors, text)
}

// outside are the addresses on other machines that were asked for; asked is the number of all.
func (b *chromium) outside() (list []string, asked int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for address := range b.asked {
		u, err := url.Parse(address)
		switch {
		case err != nil:
			list = append(list, address)
		case u.Scheme == "data" || u.Scheme == "blob" || u.Scheme == "about":
		case u.Hostname() != "127.0.0.1" && u.Hostname() != "localhost":
			list = append(list, address)
		}
	}
	return list, len(b.asked)
}

// page is a tab.
type page struct {
	b       *chromium
	session string
}

// open opens a tab.
func (b *chromium) open(t *testing.T, address string) *page {
	t.Helper()
	var target struct{ TargetID string }
	var attached struct{ SessionID string }
	err := errors.Join(
		b.call("", "Target.createTarget", args{"url": "about:blank"}, &target),
		b.call("", "Target.attachToTarget", args{"targetId": target.TargetID, "flatten": true}, &attached))
	p := &page{b: b, session: attached.SessionID}
	if err == nil {
		err = b.call(p.session, "Page.navigate", args{"url": address}, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.call("", "Target.closeTarget", args{"targetId": target.TargetID}, nil) })
	return p
}

// eval evaluates JavaScript in the page, waits for its promise, and reads the value into result.
func (p *page) eval(script string, result any) error {
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	if err := p.b.call(p.session, "Runtime.evaluate", args{"expression": script, "awaitPromise": true, "returnByValue": result != nil}, &r); err != nil {
		return err
	}
	if e := r.ExceptionDetails; e != nil {
		return fmt.Errorf("%s: %s %s", script, e.Text, e.Exception.Description)
	}
	if result == nil {
		return nil
	}
	if r.Result.Value == nil {
		return fmt.Errorf("%s has no value", script)
	}
	return json.Unmarshal(r.Result.Value, result)
}

// do evaluates what must work.
func (p *page) do(t *testing.T, script string) {
	t.Helper()
	if err := p.eval(script, nil); err != nil {
		t.Fatal(err)
	}
}

// text is the value of an expression that is a text.
func (p *page) text(t *testing.T, script string) string {
	t.Helper()
	var s string
	if err := p.eval(script, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// wait waits until the expression is true. Until the page is there, it may also fail.
func (p *page) wait(t *testing.T, what, script string) {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		var ok bool
		if err = p.eval("(async () => !!(await ("+script+")))()", &ok); err == nil && ok {
			return
		}
		select {
		case <-p.b.ended:
			t.Fatalf("waiting for %s: the browser has ended", what)
		default:
		}
	}
	p.picture(t, "failed-"+strings.ReplaceAll(t.Name(), "/", "-"))
	var seen string
	_ = p.eval(`[...document.querySelectorAll(".jp-OutputArea")].map(e => e.innerText).join("\n")`, &seen)
	t.Fatalf("waited %s in vain for %s (%v); the outputs are:\n%s", patience, what, err, seen)
}

// click presses the mouse on the first element that a selector names, in the middle or, with a part of its width, there: once it is in view, nothing moves it, and nothing lies over it.
func (p *page) click(t *testing.T, selector string, part ...float64) {
	t.Helper()
	x := 0.5
	if len(part) > 0 {
		x = part[0]
	}
	p.wait(t, "a place to click on "+selector, fmt.Sprintf(`(async () => {
		const e = document.querySelector(%q)
		if (!e) return false
		e.scrollIntoView({block: "center", behavior: "instant"})
		const frame = () => new Promise(r => requestAnimationFrame(r))
		await frame()
		const a = e.getBoundingClientRect()
		await frame()
		const b = e.getBoundingClientRect()
		window.zeroshotPoint = [b.x + b.width * %g, b.y + b.height / 2]
		return a.x === b.x && a.y === b.y && b.width > 0 && e.contains(document.elementFromPoint(...window.zeroshotPoint))
	})()`, selector, x))
	var at [2]float64
	if err := p.eval("window.zeroshotPoint", &at); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"mouseMoved", "mousePressed", "mouseReleased"} {
		if err := p.b.call(p.session, "Input.dispatchMouseEvent", args{"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1}, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// keys have the codes by which Chromium knows them.
var keys = map[string]args{
	"ArrowDown": {"key": "ArrowDown", "code": "ArrowDown", "windowsVirtualKeyCode": 40},
	"Enter":     {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"},
}

// press presses a key.
func (p *page) press(t *testing.T, key string) {
	t.Helper()
	for _, kind := range []string{"keyDown", "keyUp"} {
		event := maps.Clone(keys[key])
		event["type"] = kind
		if err := p.b.call(p.session, "Input.dispatchKeyEvent", event, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// enter types a text in place of the one in a field, and presses Enter.
func (p *page) enter(t *testing.T, selector, text string) {
	t.Helper()
	p.click(t, selector)
	p.do(t, `document.activeElement.select()`)
	for _, c := range text {
		if err := p.b.call(p.session, "Input.dispatchKeyEvent", args{"type": "char", "text": string(c)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	p.press(t, "Enter")
}

// picture keeps what the page looks like, in the folder that ZEROSHOT_SCREENSHOTS names or one of the test.
func (p *page) picture(t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("ZEROSHOT_SCREENSHOTS")
	if dir == "" {
		return
	}
	var shot struct{ Data string }
	if err := p.b.call(p.session, "Page.captureScreenshot", args{"format": "png"}, &shot); err != nil {
		t.Error(err)
		return
	}
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	if err != nil {
		t.Error(err)
	}
}
