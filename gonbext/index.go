package gonbext

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// writeIndex writes index.md, which has a section for each Save in the folder: the pictures, the tables, what was noted, among it the certificates that say what the numbers rest on, and the versions.
func writeIndex(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("# Figures and tables\n\nWritten by `gonbext.Save`. Pictures are SVG, PNG and PDF files with the data that they draw as CSV; tables are CSV and Markdown. The `.json` file of a section has the SHA-256 of each file.\n")
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var s saved
		// A file of somebody else's in the folder is not an index entry.
		if json.Unmarshal(text, &s) != nil || s.Name+".json" != filepath.Base(name) {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n", s.Name)
		for _, it := range s.Shown {
			switch it.Kind {
			case "picture":
				fmt.Fprintf(&b, "\n![%s](%s)\n\n", markdownText(it.Title), it.Files[0])
				b.WriteString(links(it.Files))
			case "table":
				fmt.Fprintf(&b, "\n%s\n\n%s", markdownText(it.Text), links(it.Files))
			default:
				fmt.Fprintf(&b, "\n> %s\n", markdownText(it.Text))
			}
		}
		var versions []string
		for _, k := range slices.Sorted(maps.Keys(s.Versions)) {
			versions = append(versions, k+" "+s.Versions[k])
		}
		fmt.Fprintf(&b, "\n[%s.json](%s.json): %s\n", s.Name, s.Name, strings.Join(versions, ", "))
	}
	return replaceFile(filepath.Join(dir, "index.md"), []byte(b.String()))
}

// links are links to files, in a line.
func links(files []string) string {
	var out []string
	for _, f := range files {
		out = append(out, fmt.Sprintf("[%s](%s)", f, f))
	}
	return strings.Join(out, " · ") + "\n"
}

// markdownText is a text as one line that Markdown takes literally.
func markdownText(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.NewReplacer(`\`, `\\`, "|", `\|`, "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", `\<`, "`", "\\`", "~", `\~`).Replace(s)
}
