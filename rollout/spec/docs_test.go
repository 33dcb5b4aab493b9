package spec

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The page names every annotation, and what it shows as steps are steps.
func TestRolloutsPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/rollouts.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for key := range examples {
		if !strings.Contains(page, "`"+key+"`") {
			t.Errorf("%s is not there", key)
		}
	}
	_, page, _ = strings.Cut(page, "## Strategies")
	page, _, _ = strings.Cut(page, "## What is waited for")
	shown := 0
	for _, cell := range regexp.MustCompile("(?m)^\\|(?: [a-z][^|]*\\|)? `([^`]+)`").FindAllStringSubmatch(page, -1) {
		shown++
		for word := range strings.SplitSeq(cell[1], ", ") {
			if _, err := parseStep(word); err != nil {
				t.Errorf("%q: %v", cell[1], err)
			}
		}
	}
	if shown < 15 {
		t.Errorf("found %d examples of steps", shown)
	}
}
