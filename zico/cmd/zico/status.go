package main

import (
	"fmt"
	"os"
	"time"
)

// statusLine shows on the standard error how far long work is: a line that is written over on a terminal, else a line every half minute.
type statusLine struct {
	terminal bool
	last     time.Time     // of the last line
	took     time.Duration // to make it
	drawn    bool
}

func newStatusLine() statusLine {
	info, err := os.Stderr.Stat()
	return statusLine{terminal: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

// due reports whether it is time for another line. Making lines takes a tenth of the time at most.
func (l *statusLine) due() bool {
	every := 30 * time.Second
	if l.terminal {
		every = 200 * time.Millisecond
	}
	return time.Since(l.last) >= max(every, 10*l.took)
}

// show shows a line, the making of which began at start.
func (l *statusLine) show(line string, start time.Time) {
	l.last, l.took, l.drawn = time.Now(), time.Since(start), true
	if l.terminal {
		fmt.Fprintf(os.Stderr, "\r\x1b[K%s", line)
		return
	}
	fmt.Fprintln(os.Stderr, line)
}

func (l *statusLine) end() {
	if l.terminal && l.drawn {
		fmt.Fprintln(os.Stderr)
	}
}
