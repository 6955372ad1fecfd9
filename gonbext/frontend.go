package gonbext

import (
	"context"
	_ "embed"
	"encoding/json"
	"os"
	"strings"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/comms"
)

// Waits for the page. The kernel itself waits 3 seconds for a browser before it goes on with what the program sends; the page asks for life often enough that a short standstill does not end a cell.
const (
	frontEndWait = 3 * time.Second
	pingEvery    = 3 * time.Second
	silence      = 20 * time.Second
)

// frontEndPossible tells whether a browser may look at the notebook, without asking one. The kernel's connection to a page goes through a Jupyter server, which names the notebook in JPY_SESSION_NAME: nbconvert and nbclient start kernels without. ZEROSHOT_STATIC=1 says that there is none, ZEROSHOT_STATIC=0 that there may be, whatever started the kernel.
func frontEndPossible() bool {
	if !gonbui.IsNotebook {
		return false
	}
	switch os.Getenv("ZEROSHOT_STATIC") {
	case "1":
		return false
	case "0":
		return true
	}
	return os.Getenv("JPY_SESSION_NAME") != ""
}

// event is what the page says.
type event struct {
	Seq   int    `json:"seq"`   // counts the events of the page from 1
	Do    string `json:"do"`    // "hello", "pong", "knob", "space", "arch", "random", "mutate", "stop"
	Rev   int    `json:"rev"`   // of the knobs that the page shows
	Knob  int    `json:"knob"`  // of "knob"
	Value int    `json:"value"` // of "knob"
	Text  string `json:"text"`  // of "space" and "arch"; of "hello" the theme of JupyterLab, "light" or "dark", or nothing where the page is elsewhere
}

// update is what the page is told. What is zero stays as it is.
type update struct {
	Ack   int               `json:"ack"`             // the page's last event that this takes account of
	Set   map[string]string `json:"set,omitempty"`   // HTML of elements, by their marks
	Rev   int               `json:"rev,omitempty"`   // of the knobs in Set, where they are drawn anew
	Knobs []knobState       `json:"knobs,omitempty"` // what the knobs show
	Arch  string            `json:"arch,omitempty"`
	Space string            `json:"space,omitempty"`
	Ping  int               `json:"ping,omitempty"` // asks for a "pong"
}

type knobState struct {
	Value int `json:"v"`
	Min   int `json:"min"`
	Max   int `json:"max"`
}

//go:embed explore.js
var exploreScript string

// link is the connection of a running cell to its page in the browser.
type link struct {
	address string
	id      string // of the display
	first   event  // what the page said first
	events  chan event
}

// connect shows a page and waits until it answers; ok is false, and the page gone, where none does in two waits of 3 seconds. The page has an element {{script}} for its script.
func connect(ctx context.Context, page string) (l *link, ok bool) {
	if !frontEndPossible() {
		return nil, false
	}
	l = &link{address: "/zeroshot/" + gonbui.UniqueId(), id: gonbui.UniqueId(), events: make(chan event, 256)}
	// The kernel sets up its side of the connection for this message, and holds back what follows until that is done or given up. The subscription stays until the process ends: comms (GoNB 0.11.5) locks up when a message comes for an address that has none.
	comms.Subscribe(l.address, func(_, text string) {
		var e event
		if json.Unmarshal([]byte(text), &e) == nil {
			l.events <- e
		}
	})
	gonbui.UpdateHTML(l.id, strings.Replace(page, "{{script}}", "<script>"+strings.Replace(exploreScript, "{{address}}", l.address, 1)+"</script>", 1))
	for try := range 2 {
		late := time.NewTimer(frontEndWait)
		select {
		case l.first = <-l.events:
			late.Stop()
			return l, true
		case <-late.C:
		case <-ctx.Done():
			l.close()
			return nil, false
		}
		if try == 0 {
			// The page gives the kernel half a second to answer, which a busy machine may not manage. For this message the kernel looks whether the connection stands, and makes another if not.
			l.send(update{Ping: 1})
		}
	}
	l.close()
	return nil, false
}

func (l *link) send(u update) {
	b, err := json.Marshal(u)
	if err != nil {
		panic(err) // strings and whole numbers
	}
	comms.Send(l.address, string(b))
}

// close takes the page away. It is no part of the notebook that is saved.
func (l *link) close() { gonbui.UpdateHTML(l.id, "") }
