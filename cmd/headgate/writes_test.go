package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestEveryWriteHasARow: the ClusterRole says what Headgate may write, and each of these
// writes has a row in the table of docs/operating.md that says what a refusal does.
func TestEveryWriteHasARow(t *testing.T) {
	chart, err := os.ReadFile("../../charts/headgate/templates/rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n### A refused write\n")
	table, _, _ = strings.Cut(table, "\n### ")
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| ([^|:]+)`).FindAllStringSubmatch(table, -1) {
		for write := range strings.SplitSeq(strings.TrimSpace(row[1]), ", ") {
			documented[write] = true
		}
	}
	delete(documented, "refused write") // the head of the table
	clusterRole, _, _ := strings.Cut(string(chart), "kind: ClusterRoleBinding")
	rules := regexp.MustCompile(`resources: \[(.+)\]\n(?:\s+resourceNames:.*\n)?\s+verbs: \[(.+)\]`).FindAllStringSubmatch(clusterRole, -1)
	if len(rules) < 10 {
		t.Fatalf("found %d rules in the ClusterRole", len(rules))
	}
	allowed := map[string]bool{}
	for _, rule := range rules {
		for resource := range strings.SplitSeq(rule[1], ", ") {
			for verb := range strings.SplitSeq(rule[2], ", ") {
				switch write := verb + " " + resource; verb {
				case "create", "update", "patch", "delete":
					allowed[write] = true
					if !documented[write] {
						t.Errorf("docs/operating.md does not say what happens if %q is refused", write)
					}
				}
			}
		}
	}
	for write := range documented {
		if !allowed[write] {
			t.Errorf("docs/operating.md has a row for %q, which Headgate may not write at all", write)
		}
	}
}
