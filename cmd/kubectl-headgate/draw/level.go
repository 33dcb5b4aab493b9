package draw

import "fmt"

// Level draws how bad something is: ok, note, warning or error.
func Level(l Look, word string) string {
	switch word {
	case "ok":
		return l.paint(good, word)
	case "warning":
		return l.paint(waits, word)
	case "error":
		return l.paint(bad, word)
	}
	return l.paint(faint, word)
}

// Faint draws what a reader may skip.
func Faint(l Look, text string) string { return l.paint(faint, text) }

// Count is "1 error" or "2 errors".
func Count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
