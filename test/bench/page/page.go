// Package page puts the report of a benchmark into a page of the documentation.
package page

import (
	"fmt"
	"os"
	"strings"
)

const end = "<!-- /last run -->\n"

// Replace replaces what is between two lines of a page by text. The first line names the
// command that writes it: "<!-- last run: bench -page -->".
func Replace(file, command, text string) error {
	begin := fmt.Sprintf("<!-- last run: %s -page -->\n", command)
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(content), begin)
	_, after, ends := strings.Cut(rest, end)
	if !begins || !ends {
		return fmt.Errorf("%s has no lines %q and %q, between which the report belongs", file, begin, end)
	}
	return os.WriteFile(file, []byte(before+begin+text+end+after), 0o644)
}
