package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
)

// TestPermissionsAreDocumented: the table of docs/operating.md has every right of the
// ClusterRole, and no other.
func TestPermissionsAreDocumented(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n## Permissions\n")
	table, _, _ = strings.Cut(table, "\nIn its own namespace")
	var documented, granted []string
	for _, row := range regexp.MustCompile(`(?m)^\| ([a-z][^|]*) \| ([a-z ]+) \|`).FindAllStringSubmatch(table, -1) {
		if row[1] == "what" {
			continue
		}
		resources := regexp.MustCompile(` \([^)]*\)`).ReplaceAllString(row[1], "")
		for resource := range strings.SplitSeq(resources, ", ") {
			for verb := range strings.FieldsSeq(row[2]) {
				documented = append(documented, verb+" "+resource)
			}
		}
	}
	for _, rule := range only[rbacv1.ClusterRole](t, "default", "ClusterRole").Rules {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				granted = append(granted, verb+" "+resource)
			}
		}
	}
	slices.Sort(documented)
	slices.Sort(granted)
	if diff := cmp.Diff(granted, documented); diff != "" {
		t.Errorf("docs/operating.md (-may +documented):\n%s", diff)
	}
}

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
