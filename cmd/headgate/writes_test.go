package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
)

// TestEveryWriteHasARow: the ClusterRole says what Headgate may write, and each of these
// writes has a row in the table of docs/operating.md that says what a refusal does.
func TestEveryWriteHasARow(t *testing.T) {
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
	allowed := map[string]bool{}
	for _, rule := range only[rbacv1.ClusterRole](t, "default", "ClusterRole").Rules {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
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
