package doctor

import (
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

const (
	nameLabel     = "app.kubernetes.io/name=headgate"
	instanceLabel = "app.kubernetes.io/instance"
	versionLabel  = "app.kubernetes.io/version"

	usualNamespace = "headgate-system"
)

// installation is one release of the chart.
type installation struct {
	dep      *appsv1.Deployment
	settings map[string]string // environment variables that have a value
	selector *metav1.LabelSelector
}

func (i *installation) name() string { return i.dep.Namespace + "/" + i.dep.Name }

// setting is a variable, or def where it is not set.
func (i *installation) setting(variable, def string) string {
	if v := i.settings[variable]; v != "" {
		return v
	}
	return def
}

func (i *installation) list(variable, def string) []string {
	text := i.setting(variable, def)
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// account is the user that the managers are.
func (i *installation) account() string {
	return "system:serviceaccount:" + i.dep.Namespace + ":" + i.dep.Spec.Template.Spec.ServiceAccountName
}

// objects are the options that list what else belongs to the release.
func (i *installation) objects() metav1.ListOptions {
	return metav1.ListOptions{LabelSelector: nameLabel + "," + instanceLabel + "=" + i.dep.Labels[instanceLabel]}
}

func (e *examination) findInstallations() {
	const name = "Headgate"
	options := metav1.ListOptions{LabelSelector: nameLabel}
	list, err := e.Apps.Deployments(metav1.NamespaceAll).List(e.ctx, options)
	if apierrors.IsForbidden(err) {
		list, err = e.Apps.Deployments(usualNamespace).List(e.ctx, options)
	}
	if err != nil {
		e.unread(name, "the Deployments of the managers", err)
		e.unseen = true
		return
	}
	for n := range list.Items {
		dep := &list.Items[n]
		i := &installation{dep: dep, settings: map[string]string{}}
		for _, c := range dep.Spec.Template.Spec.Containers {
			for _, v := range c.Env {
				i.settings[v.Name] = v.Value
			}
		}
		e.installations = append(e.installations, i)
	}
	if len(e.installations) == 0 {
		e.add(Error, name, "install it: docs/operating.md", "there is no Deployment with the label %s: Headgate is not installed", nameLabel)
	}
}

// responsible is the installation for the namespace, nil if there is none. One that may not be
// read is taken for one with the usual settings.
func (e *examination) responsible() *installation {
	if e.unseen {
		return &installation{dep: &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: usualNamespace, Name: "headgate"}}}
	}
	for _, i := range e.installations {
		only := i.list("HEADGATE_NAMESPACES", "")
		if len(only) == 0 || slices.Contains(only, e.Namespace) {
			return i
		}
	}
	if len(e.installations) > 0 {
		e.add(Error, "namespace "+e.Namespace, "add it to the value namespaces of the chart",
			"no manager looks at this namespace: HEADGATE_NAMESPACES names others")
	}
	return nil
}

// managers looks at the pods of an installation.
func (e *examination) managers(i *installation) {
	const name = "managers"
	want, have := ptr.Deref(i.dep.Spec.Replicas, 1), i.dep.Status.AvailableReplicas
	look := "kubectl -n " + i.dep.Namespace + " describe deployment/" + i.dep.Name
	version := i.dep.Labels[versionLabel]
	switch {
	case want == 0:
		e.add(Error, name, "kubectl -n "+i.dep.Namespace+" scale deployment/"+i.dep.Name+" --replicas=2", "%s is scaled to 0", i.name())
	case have == 0:
		e.add(Error, name, look, "%s has no pod that is available", i.name())
	case have < want:
		e.add(Warning, name, look, "%s has %d of %d pods available", i.name(), have, want)
	case want == 1:
		e.add(Warning, name, "set the value replicas of the chart to 2",
			"%s has one pod: while its node is drained, nobody holds and nobody takes traffic away", i.name())
	default:
		e.ok(name, "%s, version %s, %d of %d pods available", i.name(), version, have, want)
	}
}

// leader looks at the Lease, and by it at the clock of the manager that leads.
func (e *examination) leader(i *installation) {
	const name = "leader"
	lease, err := e.Leases.Leases(i.dep.Namespace).Get(e.ctx, i.setting("HEADGATE_LEASE", "headgate"), metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		e.add(Error, name, "kubectl -n "+i.dep.Namespace+" logs deployment/"+i.dep.Name, "there is no Lease: no manager has ever led")
		return
	case err != nil:
		e.unread(name, "the Lease of the managers", err)
		return
	}
	holder := ptr.Deref(lease.Spec.HolderIdentity, "")
	if holder == "" || lease.Spec.RenewTime == nil {
		e.add(Error, name, "kubectl -n "+i.dep.Namespace+" logs deployment/"+i.dep.Name, "no manager leads")
		return
	}
	now := e.serverTime
	if now.IsZero() {
		now = e.Now
	}
	lasts := time.Duration(ptr.Deref(lease.Spec.LeaseDurationSeconds, 15)) * time.Second
	pod, _, _ := strings.Cut(holder, "_")
	switch age := now.Sub(lease.Spec.RenewTime.Time); {
	case age < -maxSkew:
		e.add(Warning, name, "set the clocks of the nodes",
			"the clock of %s is %s ahead of that of the API server", pod, (-age).Round(time.Second))
	case age > lasts+maxSkew:
		e.add(Error, name, "kubectl -n "+i.dep.Namespace+" logs deployment/"+i.dep.Name, "%s led until %s ago, and no manager leads now, "+
			"or its clock is behind", pod, age.Round(time.Second))
	default:
		e.ok(name, "%s", pod)
	}
}

// secretOf is the Secret with the serving certificate.
func (i *installation) secretOf() string {
	if i.settings["HEADGATE_CERT_DIR"] == "" {
		return i.setting("HEADGATE_CERT_SECRET", "headgate-cert")
	}
	at := slices.IndexFunc(i.dep.Spec.Template.Spec.Volumes, func(v corev1.Volume) bool { return v.Secret != nil })
	if at < 0 {
		return ""
	}
	return i.dep.Spec.Template.Spec.Volumes[at].Secret.SecretName
}
