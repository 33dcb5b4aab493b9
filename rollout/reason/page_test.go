package reason

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"gotest.tools/v3/golden"

	"github.com/headgate/headgate/rollout/spec"
)

func TestReasonsPage(t *testing.T) {
	golden.Assert(t, page(t), "../../../docs/reasons.md")
}

const showCondition = inNamespace +
	`get deployment NAME -o jsonpath='{range .status.conditions[?(@.type=="headgate.dev/Rollout")]}{.reason}{": "}{.message}{"\n"}{end}'`

type symptom struct {
	kind  Kind
	title string
}

// symptoms are what a person sees, in the order of the page.
var symptoms = []symptom{
	{StaysPending, "It stays Pending"},
	{StaysAtWeight, "It stays at a weight"},
	{WentBack, "The traffic went back to stable"},
	{Unfinished, "The promotion does not finish"},
	{WithoutCanary, "A template went out without a canary"},
	{Beside, "There is an event"},
	{Idle, "Nothing is being rolled out"},
}

// page is docs/reasons.md. What is not made from the tables is in testdata/start.md.
func page(t *testing.T) string {
	start, err := template.ParseFiles("testdata/start.md")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := start.Execute(&b, map[string]any{
		"Condition": showCondition, "Log": showManagerLog.Command, "Events": showEvents.Command, "Phases": spec.Phases,
	}); err != nil {
		t.Fatal(err)
	}
	b.WriteString("\n## By symptom\n")
	listed := map[Reason]bool{}
	for _, s := range symptoms {
		fmt.Fprintf(&b, "\n### %s\n\n", s.title)
		writeIndex(&b, s.kind, listed)
	}
	for _, g := range All() {
		fmt.Fprintf(&b, "\n## %s\n", g.Title)
		for _, e := range g.Explanations {
			writeReason(&b, e)
		}
	}
	return b.String()
}

// writeIndex lists the reasons of one kind. What an earlier list has is only named.
func writeIndex(b *strings.Builder, kind Kind, listed map[Reason]bool) {
	var again []string
	b.WriteString("| reason | in short |\n|---|---|\n")
	for e := range rows() {
		switch {
		case !slices.Contains(e.Kinds, kind):
		case listed[e.Reason]:
			again = append(again, link(e.Reason))
		default:
			listed[e.Reason] = true
			fmt.Fprintf(b, "| %s | %s |\n", link(e.Reason), firstSentence(e.Meaning))
		}
	}
	if len(again) > 0 {
		fmt.Fprintf(b, "\n%s\n", wrap("Also: "+strings.Join(again, ", ")))
	}
}

func writeReason(b *strings.Builder, e Explanation) {
	kinds := make([]string, len(e.Kinds))
	for i, k := range e.Kinds {
		kinds[i] = string(k)
	}
	event := "Normal"
	if e.Warning {
		event = "Warning"
	}
	fmt.Fprintf(b, "\n### %s\n\n*%s. Event type: %s.*\n\n", e.Reason, capitalised(strings.Join(kinds, ", or ")), event)
	fmt.Fprintf(b, "%s\n\n%s\n\n```sh\n", wrap("**It means:** "+linked(e.Meaning, e.Reason)), wrap("**Look at:** "+linked(e.LookAt, e.Reason)))
	for _, a := range e.Actions {
		fmt.Fprintf(b, "# %s\n%s\n", a.Want, a.Command)
	}
	b.WriteString("```\n")
}

func capitalised(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func link(r Reason) string { return fmt.Sprintf("[%s](#%s)", r, strings.ToLower(string(r))) }

var (
	pageName   = regexp.MustCompile(`docs/([a-z]+)\.md`)
	quotedWord = regexp.MustCompile("`[A-Z][A-Za-z]+`")
)

// linked is text with links to the other reasons and to the pages that it names.
func linked(text string, self Reason) string {
	text = pageName.ReplaceAllString(text, "[$1.md]($1.md)")
	return quotedWord.ReplaceAllStringFunc(text, func(word string) string {
		r := Reason(strings.Trim(word, "`"))
		if _, known := Explain(r); !known || r == self {
			return word
		}
		return link(r)
	})
}

// firstSentence ends at the first full stop before a space: "headgate.dev/steps" has
// none.
func firstSentence(text string) string {
	sentence, _, _ := strings.Cut(text, ". ")
	return strings.TrimSuffix(sentence, ".")
}

// wrap breaks text into lines of at most 130 characters.
func wrap(text string) string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > 130 {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return strings.Join(append(lines, line), "\n")
}

func TestEveryKindIsASymptom(t *testing.T) {
	for e := range rows() {
		for _, k := range e.Kinds {
			if !slices.ContainsFunc(symptoms, func(s symptom) bool { return s.kind == k }) {
				t.Errorf("%s is of kind %q, which the index by symptom does not have", e.Reason, k)
			}
		}
	}
}
