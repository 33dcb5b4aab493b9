package node

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// environment resolves the container's env and envFrom as a kubelet does: later entries win,
// $(NAME) refers to earlier ones.
func (r *runner) environment(ctx context.Context, c corev1.Container) (map[string]string, error) {
	env := map[string]string{"HOSTNAME": r.pod.Name}
	for _, from := range c.EnvFrom {
		if err := r.addAll(ctx, env, from); err != nil {
			return nil, err
		}
	}
	for _, e := range c.Env {
		if e.ValueFrom == nil {
			env[e.Name] = expand(e.Value, env)
			continue
		}
		value, found, err := r.valueFrom(ctx, c, *e.ValueFrom)
		if err != nil {
			return nil, fmt.Errorf("env %s: %w", e.Name, err)
		}
		if found {
			env[e.Name] = value
		}
	}
	return env, nil
}

func (r *runner) addAll(ctx context.Context, env map[string]string, from corev1.EnvFromSource) error {
	var data map[string]string
	var err error
	switch {
	case from.ConfigMapRef != nil:
		data, err = r.configMap(ctx, from.ConfigMapRef.Name, from.ConfigMapRef.Optional)
	case from.SecretRef != nil:
		data, err = r.secret(ctx, from.SecretRef.Name, from.SecretRef.Optional)
	}
	for name, value := range data {
		env[from.Prefix+name] = value
	}
	return err
}

func (r *runner) valueFrom(ctx context.Context, c corev1.Container, s corev1.EnvVarSource) (value string, found bool, err error) {
	switch {
	case s.ResourceFieldRef != nil:
		value, err := limitOf(c, *s.ResourceFieldRef)
		return value, err == nil, err
	case s.FieldRef != nil:
		value, err := r.field(s.FieldRef.FieldPath)
		return value, err == nil, err
	case s.ConfigMapKeyRef != nil:
		ref := s.ConfigMapKeyRef
		data, err := r.configMap(ctx, ref.Name, ref.Optional)
		return key(data, ref.Key, ref.Optional, err)
	case s.SecretKeyRef != nil:
		ref := s.SecretKeyRef
		data, err := r.secret(ctx, ref.Name, ref.Optional)
		return key(data, ref.Key, ref.Optional, err)
	}
	return "", false, fmt.Errorf("the lab resolves fieldRef, resourceFieldRef, configMapKeyRef and secretKeyRef only")
}

// nodeMemory is the memory of the node in bytes, which is the limit of a container that
// has none.
const nodeMemory = 8 << 30

// limitOf is the memory limit of c in bytes. Nothing enforces it here.
func limitOf(c corev1.Container, ref corev1.ResourceFieldSelector) (string, error) {
	if ref.Resource != "limits.memory" || !ref.Divisor.IsZero() && ref.Divisor.Value() != 1 {
		return "", fmt.Errorf("the lab knows limits.memory in bytes only, not %s in %s", ref.Resource, &ref.Divisor)
	}
	limit, ok := c.Resources.Limits[corev1.ResourceMemory]
	if !ok {
		return strconv.Itoa(nodeMemory), nil
	}
	return strconv.FormatInt(limit.Value(), 10), nil
}

func key(data map[string]string, name string, optional *bool, err error) (string, bool, error) {
	value, ok := data[name]
	if err == nil && !ok && !isTrue(optional) {
		err = fmt.Errorf("key %q not found", name)
	}
	return value, ok, err
}

func (r *runner) configMap(ctx context.Context, name string, optional *bool) (map[string]string, error) {
	cm, err := r.agent.Client.CoreV1().ConfigMaps(r.pod.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) && isTrue(optional) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return cm.Data, nil
}

func (r *runner) secret(ctx context.Context, name string, optional *bool) (map[string]string, error) {
	s, err := r.agent.Client.CoreV1().Secrets(r.pod.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) && isTrue(optional) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	data := map[string]string{}
	for k, v := range s.Data {
		data[k] = string(v)
	}
	return data, nil
}

func isTrue(b *bool) bool { return b != nil && *b }

// field is the downward API's value at path.
func (r *runner) field(path string) (string, error) {
	if name, ok := subscript(path, "metadata.labels"); ok {
		return r.pod.Labels[name], nil
	}
	if name, ok := subscript(path, "metadata.annotations"); ok {
		return r.pod.Annotations[name], nil
	}
	host := r.agent.Host.String()
	value, ok := map[string]string{
		"metadata.name":           r.pod.Name,
		"metadata.namespace":      r.pod.Namespace,
		"metadata.uid":            string(r.pod.UID),
		"spec.nodeName":           Name,
		"spec.serviceAccountName": r.pod.Spec.ServiceAccountName,
		"status.podIP":            r.address.String(),
		"status.podIPs":           r.address.String(),
		"status.hostIP":           host,
		"status.hostIPs":          host,
	}[path]
	if !ok {
		return "", fmt.Errorf("the lab does not know field %q", path)
	}
	return value, nil
}

// subscript takes NAME out of "PREFIX['NAME']".
func subscript(path, prefix string) (string, bool) {
	rest, ok := strings.CutPrefix(path, prefix+"['")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, "']")
}
