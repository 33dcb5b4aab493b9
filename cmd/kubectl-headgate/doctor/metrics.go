package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/headgate/headgate/ingress"
)

func labelsOf(ns *corev1.Namespace) labels.Set {
	all := labels.Set{"kubernetes.io/metadata.name": ns.Name}
	for key, value := range ns.Labels {
		all[key] = value
	}
	return all
}

// prometheus asks the Prometheus of an installation, if the API server leads to it.
func (e *examination) prometheus(i *installation) {
	const name = "Prometheus"
	address := i.setting("HEADGATE_PROMETHEUS_ADDRESS", "")
	if address == "" {
		e.add(Warning, name, "set prometheus.address", "no address is set: an analysis that asks it is an Error, and its rollout waits")
		return
	}
	if i.setting("HEADGATE_METRICS_SOURCE", "") == "" {
		e.add(Warning, name, "set prometheus.metricsSource", "the metrics source is not set: success-rate, errors and latency are an Error, "+
			"and their rollout waits")
	}
	path, err := proxyPath(address)
	if err != nil {
		e.add(NotChecked, name, "ask it from a pod of Headgate's namespace", "whether %s answers: %v", address, err)
		return
	}
	status, _, body, err := e.Get(e.ctx, path+"/api/v1/query?query=vector(1)")
	switch {
	case err != nil:
		e.unread(name, "whether "+address+" answers", err)
	case status == http.StatusForbidden:
		e.add(NotChecked, name, "", "whether %s answers: you may not use the proxy of its Service", address)
	case status == http.StatusOK && strings.Contains(string(body), `"success"`):
		e.ok(name, "%s answers", address)
	case status == http.StatusUnauthorized && i.setting("HEADGATE_PROVIDERS_FILE", "") != "":
		e.add(NotChecked, name, "", "%s answers and wants a login, which the managers have", address)
	default:
		e.add(Error, name, "look at its Service and pods, and at prometheus.address", "%s does not answer a query: %s", address,
			said(status, body))
	}
}

// said is the status and the beginning of an answer.
func said(status int, body []byte) string {
	const most = 200
	text := strings.Join(strings.Fields(string(body)), " ")
	return strings.TrimSuffix(fmt.Sprintf("%d %s: %s", status, http.StatusText(status), text[:min(len(text), most)]), ": ")
}

// proxyPath is the path of the API server that leads to address, which must be that of a
// Service: http://prometheus.monitoring:9090, with or without .svc and what follows.
func proxyPath(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	parts := strings.Split(u.Hostname(), ".")
	isService := net.ParseIP(u.Hostname()) == nil && (len(parts) == 2 || len(parts) > 2 && parts[2] == "svc")
	if !isService {
		return "", errors.New("it is not the address SERVICE.NAMESPACE of a Service, and only the managers know whether they reach it")
	}
	service, port := parts[0], u.Port()
	if u.Scheme == "https" {
		service, port = "https:"+service, cmp.Or(port, "443")
	}
	below := strings.TrimSuffix(u.Path, "/")
	return fmt.Sprintf("/api/v1/namespaces/%s/services/%s:%s/proxy%s", parts[1], service, cmp.Or(port, "80"), below), nil
}

// classes compares the IngressClasses with the controllers that Headgate takes for ones that
// honour canary annotations.
func (e *examination) classes(i *installation) {
	const name = "ingress classes"
	controllers := i.list("HEADGATE_INGRESS_CONTROLLERS", ingress.DefaultController)
	list, err := e.Network.IngressClasses().List(e.ctx, metav1.ListOptions{})
	if err != nil {
		e.unread(name, "IngressClasses", err)
		return
	}
	var taken, others []string
	for _, c := range list.Items {
		if slices.Contains(controllers, c.Spec.Controller) {
			taken = append(taken, c.Name)
		} else {
			others = append(others, c.Name+" ("+c.Spec.Controller+")")
		}
	}
	switch {
	case len(taken) > 0:
		e.ok(name, "%s can be split", strings.Join(taken, ", "))
	case len(others) == 0:
		e.add(Warning, name, "create the IngressClass of the ingress controller", "there is no IngressClass")
	default:
		e.add(Error, name, "if one of these controllers honours the canary annotations, add it to ingress.controllers",
			"no IngressClass has one of the controllers %s: there are %s", strings.Join(controllers, ", "), strings.Join(others, ", "))
	}
}

// routerOptions are the settings of the managers for their router.
func (i *installation) routerOptions() ingress.Options {
	return ingress.Options{
		AnnotationsPrefix:    i.setting("HEADGATE_ANNOTATIONS_PREFIX", ""),
		Controllers:          i.list("HEADGATE_INGRESS_CONTROLLERS", ""),
		PreviewDomains:       i.list("HEADGATE_PREVIEW_DOMAINS", ""),
		PreviewBelowOwnHosts: i.setting("HEADGATE_PREVIEW_BELOW_OWN_HOSTS", "") == "true",
	}
}
