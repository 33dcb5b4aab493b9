package ingress

import (
	"slices"
	"strings"
)

// copiedToPreview says whether the preview Ingress has a copy of this annotation of
// its stable Ingress. name is without the prefix of the dialect.
//
// Annotations that restrict access are copied by the beginning of their names, so
// that one which this list does not know is copied too: a preview that lacks a
// restriction is open to everybody. Annotations that change how requests reach the
// pods and how answers come back are copied one by one. Nothing else is copied:
//
//   - snippets may contain anything
//   - server-alias and from-to-www-redirect serve more hosts
//   - a redirect would send testers to the stable host
//   - browsers send a session cookie for a whole domain to the stable host too
//   - auth-tls-* configures client certificates; see checkClientCertificates
func copiedToPreview(name string) bool {
	if strings.HasPrefix(name, "auth-tls-") || strings.HasSuffix(name, "-snippet") {
		return false
	}
	return slices.Contains(backendAnnotations, name) || slices.ContainsFunc(accessAnnotationPrefixes, func(family string) bool {
		return strings.HasPrefix(name, family)
	})
}

var accessAnnotationPrefixes = []string{
	"allowlist-source-range",
	"auth-",
	"denylist-source-range",
	"enable-global-auth",
	"enable-modsecurity",
	"enable-owasp-core-rules",
	"force-ssl-redirect",
	"limit-",
	"satisfy",
	"ssl-redirect",
	"whitelist-source-range",
}

var backendAnnotations = []string{
	"affinity",
	"affinity-mode",
	"app-root",
	"backend-protocol",
	"client-body-buffer-size",
	"cors-allow-credentials",
	"cors-allow-headers",
	"cors-allow-methods",
	"cors-allow-origin",
	"cors-expose-headers",
	"cors-max-age",
	"custom-headers",
	"enable-cors",
	"load-balance",
	"proxy-body-size",
	"proxy-buffer-size",
	"proxy-buffering",
	"proxy-buffers-number",
	"proxy-busy-buffers-size",
	"proxy-connect-timeout",
	"proxy-cookie-path",
	"proxy-http-version",
	"proxy-max-temp-file-size",
	"proxy-next-upstream",
	"proxy-next-upstream-timeout",
	"proxy-next-upstream-tries",
	"proxy-read-timeout",
	"proxy-request-buffering",
	"proxy-send-timeout",
	"proxy-ssl-ciphers",
	"proxy-ssl-name",
	"proxy-ssl-protocols",
	"proxy-ssl-secret",
	"proxy-ssl-server-name",
	"proxy-ssl-verify",
	"proxy-ssl-verify-depth",
	"rewrite-target",
	"service-upstream",
	"session-cookie-change-on-failure",
	"session-cookie-conditional-samesite-none",
	"session-cookie-expires",
	"session-cookie-max-age",
	"session-cookie-name",
	"session-cookie-path",
	"session-cookie-samesite",
	"session-cookie-secure",
	"upstream-hash-by",
	"upstream-hash-by-subset",
	"upstream-hash-by-subset-size",
	"upstream-vhost",
	"use-regex",
	"x-forwarded-prefix",
}
