package gonbext

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/zeroshotnas/zeroshot/gonbext/svg"
)

// chosen is the theme that SetTheme or the environment has chosen; its name is empty where neither has.
var chosen struct {
	sync.Mutex
	svg.Theme
}

// SetTheme draws the pictures that follow in a theme: "light" or "dark". It holds for the cell; the environment variable ZEROSHOT_THEME holds for all cells that follow (%env ZEROSHOT_THEME dark). The default is light; pictures of Explore that are to be seen only while the cell runs take JupyterLab's theme by default. Pictures have a ground of their own, so they read on any page; tables and notes take the colours of the page.
//
// It fails for other names, and changes nothing then.
func SetTheme(name string) error {
	t, err := themeNamed(name)
	if err != nil {
		return report(err, Options{})
	}
	chosen.Lock()
	defer chosen.Unlock()
	chosen.Theme = t
	return nil
}

func themeNamed(name string) (svg.Theme, error) {
	var names []string
	for _, t := range svg.Themes {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return svg.Light, fmt.Errorf("there is no theme %q; use %s", name, strings.Join(names, " or "))
}

// theme is that of pictures.
func theme() svg.Theme { return themeOn("") }

// themeOn is the theme of pictures on a page that is itself "light" or "dark", or does not say: what was chosen goes before that.
func themeOn(page string) svg.Theme {
	chosen.Lock()
	defer chosen.Unlock()
	if name := os.Getenv("ZEROSHOT_THEME"); name != "" && chosen.Name == "" {
		t, err := themeNamed(name)
		if err != nil {
			_ = report(errors.Join(err, errors.New("the environment variable ZEROSHOT_THEME has it")), Options{})
		}
		chosen.Theme = t
	}
	if chosen.Name != "" {
		return chosen.Theme
	}
	t, _ := themeNamed(page) // else Light
	return t
}
