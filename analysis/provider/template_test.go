package provider

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/rollout"
)

func subject() rollout.Subject {
	return rollout.Subject{
		Namespace: "shop", Deployment: "web", CanaryDeployment: "web-canary", CanaryReplicaSet: "web-canary-6d4cf",
		Service: "web", CanaryService: "web-canary", ServicePort: "http",
		Ingress: "shop.example.com", CanaryIngress: "shop.example.com-canary",
		TrackLabel: "app.kubernetes.io/name", StableTrack: "web", CanaryTrack: "web-canary",
		Rollout: "7", Weight: 10, Window: 90 * time.Second,
	}
}

func TestFillInKnowsEveryVariable(t *testing.T) {
	const query = `{{namespace}} {{deployment}} {{canary-deployment}} {{service}} {{canary-service}} {{service-port}} ` +
		`{{ingress}} {{canary-ingress}} {{track-label}} {{stable-track}} {{canary-track}} {{rollout}} {{ weight }} {{window}} {{canary-pods}} ` +
		`{{canary-replicaset}} {{window-seconds}}`
	got, err := FillIn(query, subject(), Verbatim)
	if err != nil {
		t.Fatal(err)
	}
	const want = `shop web web-canary web web-canary http ` +
		`shop.example.com shop.example.com-canary app_kubernetes_io_name web web-canary 7 10 1m30s web-canary-6d4cf-.+ web-canary-6d4cf 90`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	for name := range variables {
		if !strings.Contains(query, name) {
			t.Errorf("variable %s is not covered", name)
		}
	}
}

func TestFillInRefusesWhatTheRolloutLacks(t *testing.T) {
	s := subject()
	s.Ingress = ""
	_, err := FillIn(`x{ingress="{{ingress}}"}`, s, Verbatim)
	if err == nil || err.Error() != "uses {{ingress}}, which has no value in this rollout" {
		t.Errorf("got %v", err)
	}
}

func TestFillInEscapesValues(t *testing.T) {
	s := subject()
	s.StableTrack = "a b"
	got, err := FillIn("{{stable-track}}-{{weight}}", s, url.QueryEscape)
	if err != nil || got != "a+b-10" {
		t.Errorf("got %q, %v", got, err)
	}
}

// The position in a parse error is one in the user's text.
func TestStandInsAreAsLongAsPlaceholders(t *testing.T) {
	for name := range variables {
		written := "{{" + name + "}}"
		got, err := StandIn(written)
		if err != nil || len(got) != len(written) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}
