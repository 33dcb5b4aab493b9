package gate

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// Every example that a user may copy is valid, and its gates are among those that
// the operator's example allows.
func TestExamplesInDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/gates.md")
	if err != nil {
		t.Fatal(err)
	}
	list := parseAllowed(t, examplesIn(t, page, "text", 1)[0])
	for _, text := range examplesIn(t, page, "yaml", 2) {
		var manifest struct {
			Metadata struct{ Annotations map[string]string }
		}
		if err := yaml.UnmarshalStrict([]byte(text), &manifest); err != nil {
			t.Fatal(err)
		}
		wanted, err := spec.ParseSpec(manifest.Metadata.Annotations)
		if err != nil {
			t.Error(err)
		}
		if err := list.Check(wanted.Gates); err != nil || len(wanted.Gates) == 0 {
			t.Errorf("%v in %s", err, text)
		}
	}
	var q rollout.GateQuestion
	question := examplesIn(t, page, "json", 1)[0]
	if err := yaml.UnmarshalStrict([]byte(question), &q); err != nil {
		t.Error(err)
	}
	if sent, _ := json.Marshal(q); string(sent)+"\n" != question {
		t.Errorf("what is sent is %s", sent)
	}
}

// examplesIn returns every code block of a language. There must be count of them.
func examplesIn(t *testing.T, page []byte, language string, count int) []string {
	t.Helper()
	var texts []string
	for _, block := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllSubmatch(page, -1) {
		texts = append(texts, string(block[1]))
	}
	if len(texts) != count {
		t.Fatalf("found %d %s examples, want %d", len(texts), language, count)
	}
	return texts
}
