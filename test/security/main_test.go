package security

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/analysis"
	"github.com/headgate/headgate/test/lab"
)

// tenant is the namespace of somebody else. It did not opt in, so Headgate has nothing to do
// there.
const tenant = "tenant"

// What the user must never read.
const (
	tenantsSecret   = "the-tenants-secret"
	operatorsSecret = "the-operators-secret"
	tenantsIngress  = "unknown-to-others"
)

// Hosts of previews: below previewDomain they are allowed, and takenHost is the tenant's.
const (
	previewDomain = "previews.test"
	takenHost     = "taken." + previewDomain
	tenantsHost   = "theirs.tenant.test"
)

var (
	shared *lab.Lab

	// gates answers at the only address at which the operator allows gates, below /open.
	gates = &listener{address: at("7720")}
	// elsewhere has the provider of the tenant, and nothing for anybody else.
	elsewhere = &listener{address: at("7721")}
)

// at is a port of the lab's machine, which pods reach.
func at(port string) string {
	return net.JoinHostPort(strings.TrimPrefix(lab.IngressURL, "http://"), port)
}

func TestMain(m *testing.M) {
	lab.RunTests(m, lab.Options{Node: true, Hollow: true, Prometheus: true, Headgate: true}, func(l *lab.Lab) error {
		shared = l
		ctx := context.Background()
		return errors.Join(gates.start(), elsewhere.start(), makeTenant(ctx, l.Client()), l.InstallHeadgate(ctx, map[string]string{
			"replicas": "1", "ingress.settle": "1s", "ingress.drain": "1s",
			"prometheus.address":     l.Prometheus.URL(),
			"gates.addresses":        "{http://" + gates.address + "/open}",
			"ingress.previewDomains": "{" + previewDomain + "}",
		}), makeRecipe(ctx, l.Client()), setUpProvider(ctx))
	})
}

// setUpProvider gives Headgate a provider for the tenant alone. The chart would mount the file,
// but pods of the lab have no volumes.
func setUpProvider(ctx context.Context) error {
	file := filepath.Join(shared.Dir, "providers.yaml")
	content := fmt.Sprintf("providers: [{name: scores, type: web, address: 'http://%s', headers: {X-Api-Key: %s}, namespaces: [%s]}]",
		elsewhere.address, operatorsSecret, tenant)
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		return err
	}
	dep := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: lab.HeadgateNamespace, Name: "headgate"}}
	if err := shared.Client().Get(ctx, client.ObjectKeyFromObject(dep), dep); err != nil {
		return err
	}
	before := dep.DeepCopy()
	manager := &dep.Spec.Template.Spec.Containers[0]
	manager.Env = append(manager.Env, corev1.EnvVar{Name: "HEADGATE_PROVIDERS_FILE", Value: file})
	if err := shared.Client().Patch(ctx, dep, client.MergeFrom(before)); err != nil {
		return err
	}
	// The pod without it leads until it is gone.
	return lab.Poll(ctx, func() error {
		var pods corev1.PodList
		err := shared.Client().List(ctx, &pods, client.InNamespace(lab.HeadgateNamespace), client.MatchingLabels(dep.Spec.Selector.MatchLabels))
		if err == nil && (len(pods.Items) != 1 || len(pods.Items[0].Spec.Containers[0].Env) != len(manager.Env)) {
			err = fmt.Errorf("Headgate has %d pods, want the one with the provider", len(pods.Items))
		}
		return errors.Join(err, shared.Available(ctx, dep))
	})
}

// makeTenant makes what a user may want to read, use or take.
func makeTenant(ctx context.Context, c client.Client) error {
	theirs := lab.Sample{Namespace: tenant, Name: "theirs", Version: "v1", Scrape: true}
	taken := lab.Sample{Namespace: tenant, Name: "theirs"}.Ingress()
	taken.Name, taken.Spec.Rules[0].Host = tenantsIngress, takenHost
	own := theirs.Ingress()
	own.Spec.Rules[0].Host = tenantsHost
	analysis := configMap(tenant, "their-analysis", tenantsSecret)
	recipe := configMap(tenant, "their-recipe", tenantsSecret)
	recipe.Labels = map[string]string{recipeLabel: "true"}
	// No ingress controller runs: Headgate only has to find its class.
	class := &netv1.IngressClass{
		ObjectMeta: metav1.ObjectMeta{Name: lab.IngressClass}, Spec: netv1.IngressClassSpec{Controller: "k8s.io/ingress-nginx"},
	}
	for _, obj := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: tenant}}, class,
		theirs.Deployment(), theirs.Service(), own, taken, analysis, recipe, cronJob(tenant, "their-job"),
	} {
		if err := c.Create(ctx, obj); err != nil {
			return err
		}
	}
	return nil
}

const recipeLabel = analysis.RecipeLabel

// makeRecipe makes a ConfigMap of the operator that is no recipe.
func makeRecipe(ctx context.Context, c client.Client) error {
	return c.Create(ctx, configMap(lab.HeadgateNamespace, "hidden", operatorsSecret))
}

func configMap(namespace, name, text string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: map[string]string{"analysis": text},
	}
}

func cronJob(namespace, name string) *batchv1.CronJob {
	return &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: batchv1.CronJobSpec{
			Schedule: "0 0 1 1 *", Suspend: new(true),
			JobTemplate: batchv1.JobTemplateSpec{Spec: lab.SmokeTest{URL: "http://localhost/"}.Job().Spec},
		},
	}
}

// listener answers every request with 200, but for /open/redirect, and remembers the paths.
type listener struct {
	address string

	mu    sync.Mutex
	paths []string
}

func (l *listener) start() error {
	socket, err := net.Listen("tcp", l.address)
	if err != nil {
		return err
	}
	go func() { _ = (&http.Server{Handler: l, ReadHeaderTimeout: time.Minute}).Serve(socket) }()
	return nil
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	l.paths = append(l.paths, r.URL.Path)
	l.mu.Unlock()
	if r.URL.Path == "/open/redirect" {
		http.Redirect(w, r, "http://"+elsewhere.address+"/redirected", http.StatusTemporaryRedirect)
	}
}

// asked returns the paths of the requests so far.
func (l *listener) asked() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.paths...)
}
