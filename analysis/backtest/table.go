package backtest

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"
)

// Write writes the report for a person: tables, and what follows from them.
func (r Report) Write(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %s between %s and %s UTC.\n", plural(r.Rollouts, "rollout"), short(r.Length), stamp(r.From), stamp(r.To))
	if len(r.Comparisons) > 0 {
		fmt.Fprintf(&b, "The canary is %s of stable's own requests, chosen by chance (seed %d).\n", percent(r.Weight), r.Seed)
		r.writeHealthy(&b)
		r.writeInjected(&b)
	}
	for _, c := range r.Conditions {
		c.write(&b)
	}
	b.WriteByte('\n')
	for _, sentence := range r.Advice() {
		b.WriteString(wrap("- " + sentence))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// judges are the comparisons that judged something, and what they did together.
func (r Report) judges() []*Comparison {
	var judges []*Comparison
	for _, c := range append(slices.Clone(r.Comparisons), r.Together) {
		if c.Rollouts > 0 {
			judges = append(judges, c)
		}
	}
	return judges
}

func (r Report) writeHealthy(b *strings.Builder) {
	b.WriteString("\nAs it was (every rollback is a false alarm):\n")
	t := newTable(b, "METRIC", "COUNTS", "STABLE", "BAD", "ROLLOUTS", "ROLLED BACK", "PASS", "NOT YET KNOWN", "FIRST PASS", "95%")
	for _, c := range r.judges() {
		h := c.Healthy
		row := []string{c.Metric, c.what(), fmt.Sprintf("%s/s", number(c.Requests)), percent(c.Bad), strconv.Itoa(c.Rollouts),
			fmt.Sprintf("%d (%s to %s)", len(h.Fired), percent(h.Low), percent(h.High)),
			of(h.Passed, c.Rollouts), of(h.Unknown, c.Rollouts), short(h.Median), short(h.Slow)}
		if c == r.Together {
			row[1], row[2], row[3] = "", "", ""
		}
		t.row(row...)
	}
	t.flush()
}

func (r Report) writeInjected(b *strings.Builder) {
	fmt.Fprintf(b, "\nWith %s of the canary's good answers turned into bad ones, from the beginning and in each metric:\n", percent(r.Inject))
	t := newTable(b, "METRIC", "FOUND", "MEDIAN", "95%", "BAD ANSWERS UNTIL THEN")
	for _, c := range r.judges() {
		bad := number(c.Injected.Bad)
		if c == r.Together {
			bad = ""
		}
		t.row(c.Metric, of(c.Injected.Found, c.Rollouts), short(c.Injected.Median), short(c.Injected.Slow), bad)
	}
	t.flush()
}

func (c *Condition) write(b *strings.Builder) {
	if c.NotTested != "" {
		return
	}
	fmt.Fprintf(b, "\n%s %s, measured in all of stable every %s:\n", c.Metric, c.Text, short(c.Interval))
	fmt.Fprintf(b, "%s, %s broke it, %s had no number or too few requests.\n",
		plural(c.Measurements, "measurement"), of(c.Broken, c.Measurements), of(c.NoNumber, c.Measurements))
	t := newTable(b, "N", "0", "1", "2", "3", "4")
	t.row(append([]string{"rolled back with failureLimit N"}, c.counts(c.ByLimit)...)...)
	t.row(append([]string{"rolled back with consecutiveFailureLimit N"}, c.counts(c.InARow)...)...)
	t.flush()
}

func (c *Condition) counts(values []int) []string {
	var texts []string
	for _, v := range values {
		low, high := wilson(v, max(c.Rollouts, 1))
		texts = append(texts, fmt.Sprintf("%d (%s to %s)", v, percent(low), percent(high)))
	}
	return texts
}

// table aligns columns with two spaces between them.
type table struct {
	b   *strings.Builder
	tab *tabwriter.Writer
	all strings.Builder
}

func newTable(b *strings.Builder, head ...string) *table {
	t := &table{b: b}
	t.tab = tabwriter.NewWriter(&t.all, 0, 0, 2, ' ', 0)
	t.row(head...)
	return t
}

func (t *table) row(cells ...string) { fmt.Fprintln(t.tab, strings.Join(cells, "\t")) }

// flush writes the table without the spaces that end its lines.
func (t *table) flush() {
	_ = t.tab.Flush() // a Builder takes everything
	for line := range strings.Lines(t.all.String()) {
		t.b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
}

// wrap breaks a text into lines of at most 100 characters, the later ones below the text of an
// item.
func wrap(text string) string {
	const most, indent = 100, "  "
	var b strings.Builder
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > most:
			b.WriteString(line + "\n")
			line = indent + word
		default:
			line += " " + word
		}
	}
	return b.String() + line + "\n"
}

const never = "–"

// short is a time as a person writes it: 75 s are 1m15s, and 0 is never.
func short(seconds float64) string {
	if seconds == 0 {
		return never
	}
	text := time.Duration(seconds * float64(time.Second)).Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// percent has two significant digits, or three where it is at least 10%.
func percent(share float64) string {
	digits := 2
	if share >= 0.0995 {
		digits = 3
	}
	value, _ := strconv.ParseFloat(strconv.FormatFloat(100*share, 'g', digits, 64), 64)
	return strconv.FormatFloat(value, 'f', -1, 64) + "%"
}

// of is a count among others as a share. Only none is 0%, and only all are 100%.
func of(count, all int) string {
	switch share := float64(count) / float64(max(all, 1)); {
	case count > 0 && share < 0.001:
		return "<0.1%"
	case count < all && share > 0.999:
		return ">99.9%"
	default:
		return percent(share)
	}
}

// number has three significant digits: 1234.5 is 1230, 0.01234 is 0.0123.
func number(v float64) string {
	value, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	return strconv.FormatFloat(value, 'f', -1, 64)
}

// points are those of a share: 0.01 is "1 point", 0.005 are "0.5 points".
func points(share float64) string {
	value := strings.TrimSuffix(percent(share), "%")
	if value == "1" {
		return "1 point"
	}
	return value + " points"
}

func plural(count int, noun string) string {
	if count == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", count, noun)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// maxTimes is how many times a sentence lists.
const maxTimes = 5

func list(times []time.Time) string {
	var texts []string
	for _, t := range times[:min(len(times), maxTimes)] {
		texts = append(texts, stamp(t))
	}
	if more := len(times) - maxTimes; more > 0 {
		texts = append(texts, fmt.Sprintf("%d more", more))
	}
	return strings.Join(texts, ", ")
}

// reasons are the reasons of unknown, in order.
func reasons(unknown map[string]int) []string { return slices.Sorted(maps.Keys(unknown)) }
