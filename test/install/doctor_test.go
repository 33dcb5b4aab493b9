package install

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// doctor runs "kubectl headgate doctor", and returns how it ended.
func (i *installation) doctor() (code int, out string) {
	i.Helper()
	cmd := shared.Kubectl(i.Context(), "headgate", "doctor", "-n", metav1.NamespaceDefault)
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		i.Fatalf("%s did not run: %v", cmd, err)
	}
	return cmd.ProcessState.ExitCode(), string(text)
}

// TestDoctor looks at an installation that is well, and then at one whose webhook no API
// server trusts and whose managers have stopped.
func TestDoctor(t *testing.T) {
	i := install(t, present, nil)
	if code, out := i.doctor(); code != 0 || !strings.Contains(out, "the caBundle fits") || !strings.Contains(out, "as a dry run") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	i.stopManagers()
	config := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "zz-headgate"}}
	i.must(shared.Client().Get(t.Context(), client.ObjectKeyFromObject(config), config))
	config.Webhooks[0].ClientConfig.CABundle = nil
	i.must(shared.Client().Update(t.Context(), config))
	code, out := i.doctor()
	for _, want := range []string{"is scaled to 0", "the webhook has no caBundle", "the API server cannot ask the managers"} {
		if code != 1 || !strings.Contains(out, want) {
			t.Errorf("exit code %d, want 1 and %q:\n%s", code, want, out)
		}
	}
}
