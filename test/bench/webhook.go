package bench

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	admission "k8s.io/api/admission/v1"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

const (
	writers       = 50
	updatesAlone  = 300 // of each kind, by one writer
	updatesEach   = 20  // of each kind, by each of the writers
	rounds        = 3   // in which they take turns
	noopHost      = "10.255.0.1"
	noopPort      = "9443"
	noopPrefix    = "noop.headgate.test/"
	patchPrefix   = "patch.headgate.test/"
	ownPrefix     = "headgate.dev/"
	configuration = "zz-headgate"
	webhookName   = "deployments.headgate.dev"
)

// webhookCost measures how much longer an update takes that Headgate's webhook sees, and the
// same for two webhooks with the same rules: one that does nothing, and one that writes
// the same two fields without looking at anything. Every update is a dry run, so
// that no rollout begins: the API server calls webhooks for it all the same.
func webhookCost(ctx context.Context, b *bench, t tool) (*findings, error) {
	f := newFindings()
	stop, err := b.startNoop(ctx)
	if err != nil {
		return f, err
	}
	defer stop()
	namespace := b.newName()
	defer b.clear(ctx, t, []string{namespace})
	kinds := map[string]map[string]string{
		"plain":    nil,
		"no-op":    {noopPrefix + "strategy": "canary"},
		"patch":    {patchPrefix + "strategy": "canary"},
		"headgate": {spec.AnnotationStrategy: "canary"},
	}
	if err := b.createWriters(ctx, namespace, kinds); err != nil {
		return f, err
	}
	for n, names := range map[int][3]string{
		1: {nameWebhook1, nameNoop1, namePatch1}, writers: {nameWebhook50, nameNoop50, namePatch50},
	} {
		before, err := b.scrape(ctx)
		if err != nil {
			return f, err
		}
		took, err := b.updateAll(ctx, namespace, kinds, n)
		if err != nil {
			return f, err
		}
		after, err := b.scrape(ctx)
		if err != nil {
			return f, err
		}
		own := 1000 * (after.webhookSeconds - before.webhookSeconds) / float64(max(1, after.webhookCalls-before.webhookCalls))
		f.note(names[0], fmt.Sprintf("Headgate's own handler takes %.1f ms of it on average", own))
		plain := median(took["plain"])
		f.add(names[0], median(took["headgate"])-plain)
		f.add(names[1], median(took["no-op"])-plain)
		f.add(names[2], median(took["patch"])-plain)
		f.note(names[1], fmt.Sprintf("an update without a webhook takes %.1f ms", plain))
	}
	calls, err := b.callsForOthers(ctx, namespace)
	f.add(nameWebhookOthers, float64(calls))
	return f, err
}

// policyCost measures the same for the admission policy, which the API server evaluates itself.
func policyCost(ctx context.Context, b *bench, t tool) (*findings, error) {
	f := newFindings()
	if err := t.remove(ctx); err != nil {
		return f, err
	}
	if err := b.lab.InstallHeadgate(ctx, map[string]string{"admission.mode": "policy"}); err != nil {
		return f, err
	}
	namespace := b.newName()
	defer b.clear(ctx, t, []string{namespace})
	kinds := map[string]map[string]string{"plain": nil, "headgate": {spec.AnnotationStrategy: "canary"}}
	if err := b.createWriters(ctx, namespace, kinds); err != nil {
		return f, err
	}
	for n, name := range map[int]string{1: namePolicy1, writers: namePolicy50} {
		took, err := b.updateAll(ctx, namespace, kinds, n)
		if err != nil {
			return f, err
		}
		f.add(name, median(took["headgate"])-median(took["plain"]))
	}
	return f, nil
}

// createWriters makes a Deployment of each kind for each writer.
func (b *bench) createWriters(ctx context.Context, namespace string, kinds map[string]map[string]string) error {
	if err := b.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, oneLimit)
	defer cancel()
	for kind, annotations := range kinds {
		if err := errAll(writers, creators, func(i int) error {
			dep := lab.Sample{Namespace: namespace, Name: nameOf(kind, i), Version: "v1", Annotations: annotations}.Deployment()
			if err := b.client.Create(ctx, dep); err != nil {
				return err
			}
			return b.lab.Available(ctx, dep)
		}); err != nil {
			return err
		}
	}
	return b.quiet(ctx, "", only(namespace), 2*time.Second)
}

func nameOf(kind string, i int) string { return fmt.Sprintf("%s-%d", kind, i) }

// updateAll lets n writers update the template of a Deployment of each kind, many times, and
// returns the milliseconds of each update. The kinds take turns, so that what else the
// machine does falls on all of them.
func (b *bench) updateAll(ctx context.Context, namespace string, kinds map[string]map[string]string, n int) (map[string][]float64, error) {
	took := map[string][]float64{}
	var mu sync.Mutex
	turns, each := rounds, updatesEach
	if n == 1 {
		turns, each = updatesAlone, 1
	}
	for range turns {
		for kind := range kinds {
			if err := errAll(n, n, func(i int) error {
				for range each {
					d, err := b.dryUpdate(ctx, namespace, nameOf(kind, i))
					if err != nil {
						return err
					}
					mu.Lock()
					took[kind] = append(took[kind], float64(d)/float64(time.Millisecond))
					mu.Unlock()
				}
				return nil
			}); err != nil {
				return nil, err
			}
		}
	}
	return took, nil
}

func (b *bench) dryUpdate(ctx context.Context, namespace, name string) (time.Duration, error) {
	const patch = `[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "` + lab.AppImage + `:v2"}]`
	dep := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	began := time.Now()
	err := b.client.Patch(ctx, dep, client.RawPatch(types.JSONPatchType, []byte(patch)), client.DryRunAll)
	return time.Since(began), err
}

// callsForOthers makes writes that are none of Headgate's business, and returns how often its
// webhook was called for them.
func (b *bench) callsForOthers(ctx context.Context, namespace string) (calls int, err error) {
	before, err := b.lab.ControlPlane.WebhookCalls(ctx, webhookName)
	if err != nil {
		return 0, err
	}
	merge := func(kind, subresource, patch string) error {
		dep := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: nameOf(kind, 0)}}
		if subresource != "" {
			return b.client.SubResource(subresource).Patch(ctx, dep, client.RawPatch(types.MergePatchType, []byte(patch)))
		}
		return b.client.Patch(ctx, dep, client.RawPatch(types.MergePatchType, []byte(patch)))
	}
	_, err = b.dryUpdate(ctx, namespace, nameOf("plain", 0))
	err = errors.Join(err,
		merge("plain", "", `{"metadata": {"annotations": {"team": "a"}}, "spec": {"paused": true}}`),
		merge("headgate", "", `{"metadata": {"annotations": {"team": "a"}, "labels": {"team": "a"}}}`),
		merge("headgate", "", `{"spec": {"replicas": 2}}`),
		merge("headgate", "status", `{"status": {"conditions": [{"type": "Bench", "status": "True"}]}}`),
		merge("headgate", "scale", `{"spec": {"replicas": 1}}`),
	)
	if err != nil {
		return 0, err
	}
	after, err := b.lab.ControlPlane.WebhookCalls(ctx, webhookName)
	return after - before, err
}

// startNoop serves a webhook that allows everything and one that changes everything, and
// registers them with the rules of Headgate's own, for Deployments whose annotations have
// other prefixes.
func (b *bench) startNoop(ctx context.Context) (stop func(), err error) {
	crt, key, err := cert.GenerateSelfSignedCertKey(noopHost, []net.IP{net.ParseIP(noopHost)}, nil)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(crt, key)
	if err != nil {
		return nil, err
	}
	listener, err := tls.Listen("tcp", net.JoinHostPort(noopHost, noopPort),
		&tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		return nil, err
	}
	serve := http.NewServeMux()
	serve.HandleFunc("/noop", answerWith(""))
	serve.HandleFunc("/patch", answerWith(fmt.Sprintf(`[{"op": "add", "path": "/metadata/annotations/%s", "value": "2"},`+
		`{"op": "add", "path": "/spec/paused", "value": true}]`, strings.ReplaceAll(spec.AnnotationRollout, "/", "~1"))))
	server := &http.Server{Handler: serve, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // its end is Close
	own := &admissionv1.MutatingWebhookConfiguration{}
	if err := b.client.Get(ctx, client.ObjectKey{Name: configuration}, own); err != nil {
		_ = server.Close()
		return nil, fmt.Errorf("read Headgate's webhook: %w", err)
	}
	noop := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "bench-noop"}}
	for path, prefix := range map[string]string{"noop": noopPrefix, "patch": patchPrefix} {
		for _, w := range own.DeepCopy().Webhooks {
			w.Name = path + "." + w.Name
			w.ClientConfig = admissionv1.WebhookClientConfig{URL: new("https://" + net.JoinHostPort(noopHost, noopPort) + "/" + path), CABundle: crt}
			for i := range w.MatchConditions {
				w.MatchConditions[i].Expression = strings.ReplaceAll(w.MatchConditions[i].Expression, ownPrefix, prefix)
			}
			noop.Webhooks = append(noop.Webhooks, w)
		}
	}
	stop = func() {
		_ = b.client.Delete(context.WithoutCancel(ctx), noop) // it fails closed: gone before its server is
		_ = server.Close()
	}
	if err := b.client.Create(ctx, noop); err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// answerWith allows every write, with a JSON patch if there is one.
func answerWith(patch string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var review admission.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil || review.Request == nil {
			http.Error(w, "no AdmissionReview", http.StatusBadRequest)
			return
		}
		review.Response = &admission.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		if patch != "" {
			review.Response.Patch, review.Response.PatchType = []byte(patch), new(admission.PatchTypeJSONPatch)
		}
		review.Request = nil
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(review) // a caller that has gone away does not matter
	}
}
