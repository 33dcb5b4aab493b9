package doctor

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/headgate/headgate/rollout/spec"
)

// soon is when the end of a certificate is near. The managers renew it much earlier.
const soon = 7 * 24 * time.Hour

// recreate is what to do where an object of the release is missing.
const recreate = "upgrade the release with helm, which creates it"

// admission looks at what holds new templates.
func (e *examination) admission(i *installation) {
	if i.setting("HEADGATE_ADMISSION_MODE", "webhook") == "policy" {
		e.policies(i)
		return
	}
	const name = "webhook"
	configuration := i.setting("HEADGATE_WEBHOOK_CONFIGURATION", "zz-headgate")
	config, err := e.Admission.MutatingWebhookConfigurations().Get(e.ctx, configuration, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		e.add(Error, name, recreate,
			"there is no MutatingWebhookConfiguration %s: nothing is held, and each new template goes out without a canary", configuration)
		return
	case err != nil:
		e.unread(name, "MutatingWebhookConfiguration "+configuration, err)
		return
	}
	guarded := e.guard(i)
	for _, w := range config.Webhooks {
		i.selector = w.NamespaceSelector
		e.failurePolicy(w, guarded)
		e.certificate(i, w)
	}
}

func (e *examination) failurePolicy(w admissionv1.MutatingWebhook, guarded bool) {
	switch ignores := ptr.Deref(w.FailurePolicy, admissionv1.Fail) == admissionv1.Ignore; {
	case ignores && !guarded:
		e.add(Warning, "webhook", "set webhook.failurePolicy: Fail, or admission.guard: Deny",
			"failurePolicy is Ignore and no guard denies: while no manager answers, new templates go out without a canary")
	case ignores:
		e.ok("webhook", "failurePolicy Ignore, and the guard denies what was not held")
	default:
		e.ok("webhook", "failurePolicy Fail")
	}
}

// guard says whether a policy refuses templates that nobody held.
func (e *examination) guard(i *installation) bool {
	bindings, err := e.Admission.ValidatingAdmissionPolicyBindings().List(e.ctx, i.objects())
	if err != nil {
		e.unread("guard", "ValidatingAdmissionPolicyBindings", err)
		return false
	}
	for _, b := range bindings.Items {
		if strings.HasSuffix(b.Spec.PolicyName, "-guard") {
			denies := slices.Contains(b.Spec.ValidationActions, admissionv1.Deny)
			e.ok("guard", "%s, actions %v", b.Spec.PolicyName, b.Spec.ValidationActions)
			return denies
		}
	}
	e.add(Warning, "guard", "set admission.guard: Deny",
		"there is no guard: a template that another webhook changes after Headgate's, or that no manager held, goes out without a canary")
	return false
}

// policies looks at admission without a webhook.
func (e *examination) policies(i *installation) {
	const name = "policies"
	policies, err := e.Admission.MutatingAdmissionPolicies().List(e.ctx, i.objects())
	if err != nil {
		e.unread(name, "MutatingAdmissionPolicies", err)
		return
	}
	bindings, err := e.Admission.MutatingAdmissionPolicyBindings().List(e.ctx, i.objects())
	if err != nil {
		e.unread(name, "MutatingAdmissionPolicyBindings", err)
		return
	}
	for _, p := range policies.Items {
		binds := func(b admissionv1.MutatingAdmissionPolicyBinding) bool { return b.Spec.PolicyName == p.Name }
		if !slices.ContainsFunc(bindings.Items, binds) {
			e.add(Error, name, recreate, "MutatingAdmissionPolicy %s has no binding: nothing is held", p.Name)
			return
		}
		if p.Spec.MatchConstraints != nil {
			i.selector = p.Spec.MatchConstraints.NamespaceSelector
		}
	}
	if len(policies.Items) == 0 {
		e.add(Error, name, recreate, "there is no MutatingAdmissionPolicy of Headgate: nothing is held")
		return
	}
	e.ok(name, "%s and its binding", policies.Items[0].Name)
}

// certificate compares the CA bundle of w with the certificate that the managers serve.
func (e *examination) certificate(i *installation, w admissionv1.MutatingWebhook) {
	const name = "certificate"
	logs := "kubectl -n " + i.dep.Namespace + " logs deployment/" + i.dep.Name
	if len(w.ClientConfig.CABundle) == 0 {
		e.add(Error, name, logs, "the webhook has no caBundle, so the API server trusts no manager")
		return
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(w.ClientConfig.CABundle) {
		e.add(Error, name, logs, "the caBundle of the webhook holds no certificate, so the API server trusts no manager")
		return
	}
	secret, err := e.Core.Secrets(i.dep.Namespace).Get(e.ctx, i.secretOf(), metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		e.add(Error, name, logs, "there is no Secret %s/%s with the serving certificate", i.dep.Namespace, i.secretOf())
		return
	case err != nil:
		e.unread(name, "the serving certificate", err)
		return
	}
	served, err := first(secret.Data[corev1.TLSCertKey])
	if err != nil {
		e.add(Error, name, logs, "Secret %s/%s: %v", i.dep.Namespace, secret.Name, err)
		return
	}
	e.chain(i, w, roots, served, logs)
}

func (e *examination) chain(i *installation, w admissionv1.MutatingWebhook, roots *x509.CertPool, served *x509.Certificate, logs string) {
	const name = "certificate"
	host := i.setting("HEADGATE_WEBHOOK_SERVICE", "headgate") + "." + i.dep.Namespace + ".svc"
	if s := w.ClientConfig.Service; s != nil {
		host = s.Name + "." + s.Namespace + ".svc"
	}
	left := served.NotAfter.Sub(e.Now)
	_, err := served.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: e.Now})
	switch {
	case left <= 0:
		e.add(Error, name, logs, "the serving certificate ended %s ago", days(-left))
	case err != nil:
		e.add(Error, name, logs, "the caBundle of the webhook does not fit the certificate that the managers serve: %v", err)
	case left < soon:
		e.add(Warning, name, logs, "the serving certificate ends in %s, and nobody has renewed it", days(left))
	default:
		e.ok(name, "the caBundle fits, and it is valid for %s", days(left))
	}
}

func days(d time.Duration) string {
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
	return d.Round(time.Minute).String()
}

// first is the first certificate in text.
func first(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s holds no certificate", corev1.TLSCertKey)
	}
	return x509.ParseCertificate(block.Bytes)
}

// impossible is a strategy that admission must refuse.
const impossible = "doctor"

// answers asks admission about a Deployment that it must refuse, in a dry run: nothing is
// stored either way.
func (e *examination) answers(i *installation) {
	const name = "admission"
	labels := map[string]string{"app": "headgate-doctor"}
	probe := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "headgate-doctor-", Annotations: map[string]string{spec.AnnotationStrategy: impossible},
	}}
	probe.Spec.Replicas = new(int32(0))
	probe.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	probe.Spec.Template.Labels = labels
	probe.Spec.Template.Spec.Containers = []corev1.Container{{Name: "doctor", Image: "doctor"}}
	_, err := e.Apps.Deployments(e.Namespace).Create(e.ctx, probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	switch {
	case err == nil:
		e.add(Error, name, "see the checks above",
			"a Deployment with a wrong annotation is let through in namespace %s, so nobody checks or holds there", e.Namespace)
	case strings.Contains(err.Error(), spec.AnnotationStrategy):
		e.ok(name, "a wrong annotation is refused in namespace %s, as a dry run shows", e.Namespace)
	case strings.Contains(err.Error(), "failed calling webhook"):
		e.add(Error, name, "the API server must reach the pods of Headgate, also through NetworkPolicies and firewalls: kubectl -n "+
			i.dep.Namespace+" get pods,endpointslices", "the API server cannot ask the managers: %v", err)
	case apierrors.IsForbidden(err):
		e.add(NotChecked, name, "",
			"you may not create Deployments in namespace %s, and nothing else tells whether admission answers", e.Namespace)
	default:
		e.add(NotChecked, name, "", "the dry run was refused by somebody else: %v", err)
	}
}

// namespace says whether the namespace is one that admission leaves out.
func (e *examination) namespace(i *installation) {
	name := "namespace " + e.Namespace
	if i.selector == nil {
		return // whether it is left out is not known, and that was said
	}
	selector, err := metav1.LabelSelectorAsSelector(i.selector)
	if err != nil {
		e.add(Warning, name, "", "the namespaceSelector of admission cannot be read: %v", err)
		return
	}
	ns, err := e.Core.Namespaces().Get(e.ctx, e.Namespace, metav1.GetOptions{})
	if err != nil {
		e.unread(name, "its labels", err)
		return
	}
	if !selector.Matches(labelsOf(ns)) {
		e.add(Error, name, "use another namespace, or change webhook.namespaceSelector",
			"admission leaves this namespace out (%s), so nothing is held there", selector)
		return
	}
	e.ok(name, "admission is for this namespace")
}
