package controlplane

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseWrite(t *testing.T) {
	line := `{"requestURI":"/apis/apps/v1/namespaces/shop/deployments/web/status?dryRun=All","verb":"patch",
		"user":{"username":"jane"},"objectRef":{"resource":"deployments","subresource":"status","namespace":"shop","name":"web"},
		"responseStatus":{"code":409},"stageTimestamp":"2026-01-02T03:04:05.6Z"}`
	got, err := parseWrite([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	want := Write{
		Time: time.Date(2026, 1, 2, 3, 4, 5, 600e6, time.UTC), User: "jane", Verb: "patch",
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
