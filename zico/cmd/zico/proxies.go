package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/zeroshotnas/zeroshot/zico/proxy"
)

// proxyInfo is what is said of a proxy.
type proxyInfo struct {
	Name   string `json:"name"`
	Title  string `json:"title"`
	Doc    string `json:"doc"`
	Source string `json:"source"`
	Lower  bool   `json:"lower"`  // better when lower
	Static bool   `json:"static"` // of the description alone: nothing is run
	Shared bool   `json:"shared"` // comes with ZiCo's own pass over the network, or needs none
	Pass   string `json:"pass"`
}

func listProxies(_ context.Context, args []string) error {
	f := newFlags("proxies", "[PROXY...]")
	asJSON := f.Bool("json", false, "print one JSON object a line")
	md := f.Bool("md", false, "print a table in Markdown")
	if err := parse(f, args); err != nil {
		return err
	}
	list := proxy.All()
	if f.NArg() > 0 {
		var err error
		if list, err = proxy.Find(f.Args()...); err != nil {
			return usageError{err}
		}
	}
	shared, err := proxy.Find("shared")
	if err != nil {
		return err
	}
	together := map[*proxy.Proxy]bool{}
	for _, p := range shared {
		together[p] = true
	}
	out := json.NewEncoder(os.Stdout)
	cells := strings.NewReplacer("|", "\\|", "\n", " ")
	if *md {
		fmt.Println("| name | proxy | better | pass | what it is | source |\n|---|---|---|---|---|---|")
	}
	for i, p := range list {
		info := proxyInfo{Name: p.Name, Title: p.Title, Doc: p.Doc, Source: p.Source, Lower: p.Lower, Static: p.Static, Shared: together[p], Pass: "its own"}
		switch {
		case p.Static:
			info.Pass = "none"
		case info.Shared:
			info.Pass = "ZiCo's"
		}
		better := "higher"
		if p.Lower {
			better = "lower"
		}
		switch {
		case *asJSON:
			if err := out.Encode(info); err != nil {
				return err
			}
		case *md:
			fmt.Printf("| `%s` | %s | %s | %s | %s | %s |\n", p.Name, cells.Replace(p.Title), better, info.Pass, cells.Replace(p.Doc), cells.Replace(p.Source))
		default:
			if i > 0 {
				fmt.Println()
			}
			fmt.Printf("%s: %s; better when %s; pass: %s\n  %s\n  %s\n", p.Name, p.Title, better, info.Pass, p.Doc, p.Source)
		}
	}
	return nil
}
