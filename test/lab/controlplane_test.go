package lab_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/test/lab"
)

func TestServiceAccountHasItsOwnRightsOnly(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	create(t,
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "writer"}},
		&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "writer"}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"create"}},
		}},
		&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "writer"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "writer"},
			Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: ns, Name: "writer"}},
		})
	config, err := shared.ConfigFor(t.Context(), ns, "writer")
	if err != nil {
		t.Fatal(err)
	}
	writer, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "note"}}
	err = lab.Poll(within(t, 5*time.Second), func() error { return writer.Create(t.Context(), cm) }) // RBAC is read from a cache
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Delete(t.Context(), cm); !apierrors.IsForbidden(err) {
		t.Errorf("delete without the right: %v, want forbidden", err)
	}
	wantWrites(t, "system:serviceaccount:"+ns+":writer", "create 201", "delete 403")
}

// wantWrites compares the last writes of user in the audit log. It ignores requests that
// were refused before the API server knew the RBAC rule.
func wantWrites(t *testing.T, user string, want ...string) {
	t.Helper()
	err := lab.Poll(within(t, 5*time.Second), func() error {
		writes, err := shared.ControlPlane.Writes(user)
		if err != nil {
			return err
		}
		var got []string
		for _, w := range writes {
			got = append(got, fmt.Sprintf("%s %d", w.Verb, w.Code))
		}
		if len(got) < len(want) || fmt.Sprint(got[len(got)-len(want):]) != fmt.Sprint(want) {
			return fmt.Errorf("writes %v, want them to end with %v", got, want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestPrometheusScrapesPodsAndSurvivesAnOutage(t *testing.T) {
	s := lab.Sample{Namespace: namespace(t), Name: "web", Version: "v1", Scrape: true}
	deploy(t, s)
	query := fmt.Sprintf(`up{namespace=%q, label_app="web"}`, s.Namespace)
	if err := lab.Poll(within(t, 15*time.Second), func() error { return wantOne(query) }); err != nil {
		t.Fatal(err)
	}
	shared.Prometheus.Stop()
	if err := wantOne(query); err == nil {
		t.Error("a stopped Prometheus answers")
	}
	if err := shared.Prometheus.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	past := fmt.Sprintf(`max_over_time(up{namespace=%q}[1h])`, s.Namespace)
	if err := wantOne(past); err != nil {
		t.Errorf("after the outage: %v", err)
	}
	if err := lab.Poll(within(t, 15*time.Second), func() error { return wantOne(`up{job="traefik"}`) }); err != nil {
		t.Error(err)
	}
}

// wantOne asks Prometheus for one series of value 1.
func wantOne(query string) error {
	res, err := http.Get(shared.Prometheus.URL() + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return err
	}
	if r := answer.Data.Result; len(r) != 1 || r[0].Value[1] != "1" {
		return fmt.Errorf("%s is %v, want one series of value 1", query, r)
	}
	return nil
}
