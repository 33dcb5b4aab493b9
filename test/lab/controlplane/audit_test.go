package controlplane

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseWrite(t *testing.T) {
	line := `{"requestURI":"/apis/apps/v1/namespaces/shop/deployments/web/status?dryRun=All","verb":"patch",
		"user":{"username":"jane"},"objectRef":{"resource":"deployments","subresource":"status","namespace":"shop","name":"web"},
		"responseStatus":{"code":409},"requestReceivedTimestamp":"2026-01-02T03:04:05.5Z","stageTimestamp":"2026-01-02T03:04:05.6Z"}`
	got, err := parseWrite([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	want := Write{
		Received: time.Date(2026, 1, 2, 3, 4, 5, 500e6, time.UTC), Time: time.Date(2026, 1, 2, 3, 4, 5, 600e6, time.UTC),
		User: "jane", Verb: "patch",
		Resource: "deployments", Subresource: "status", Namespace: "shop", Name: "web", Code: 409, DryRun: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseWriteQuotesWhatItCannotRead(t *testing.T) {
	if _, err := parseWrite([]byte("{half")); err == nil || !strings.Contains(err.Error(), `line "{half"`) {
		t.Errorf("error %v, want it to quote the line", err)
	}
}

func TestAuditIsReadOn(t *testing.T) {
	file := filepath.Join(t.TempDir(), auditLog)
	add := func(text string) {
		t.Helper()
		f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var a audit
	verbs := func() string {
		t.Helper()
		writes, err := a.read(file)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, w := range writes {
			all = append(all, w.Verb)
		}
		return strings.Join(all, " ")
	}
	add("{\"verb\":\"create\"}\n{\"verb\":\"pa")
	if got := verbs(); got != "create" {
		t.Errorf("with half a line the writes are %q, want create", got)
	}
	add("tch\"}\n")
	if got := verbs(); got != "create patch" {
		t.Errorf("with the rest of the line the writes are %q, want create patch", got)
	}
}
