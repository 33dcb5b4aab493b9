// Package auth has the part of github.com/abbot/go-http-auth that Traefik
// calls, and refuses every request. Traefik links a fork of that module which
// not every module proxy serves. Only its basic-auth and digest-auth middlewares
// use it, and no canary depends on those.
package auth

import "net/http"

// SecretProvider looks up the stored secret of a user. Nobody asks it here.
type SecretProvider func(user, realm string) string

// CheckSecret reports false: no password is right.
func CheckSecret(_, _ string) bool { return false }

// BasicAuth answers 401 to everybody.
type BasicAuth struct {
	Realm   string
	Secrets SecretProvider
}

// RequireAuth answers 401.
func (*BasicAuth) RequireAuth(w http.ResponseWriter, _ *http.Request) { refuse(w) }

// DigestAuth answers 401 to everybody.
type DigestAuth struct{}

// NewDigestAuthenticator ignores both arguments.
func NewDigestAuthenticator(string, SecretProvider) *DigestAuth { return &DigestAuth{} }

// CheckAuth recognises nobody.
func (*DigestAuth) CheckAuth(*http.Request) (username string, authinfo *string) { return "", nil }

// RequireAuth answers 401.
func (*DigestAuth) RequireAuth(w http.ResponseWriter, _ *http.Request) { refuse(w) }

// RequireAuthStale answers 401.
func (*DigestAuth) RequireAuthStale(w http.ResponseWriter, _ *http.Request) { refuse(w) }

// DigestAuthParams finds no parameters in the header.
func DigestAuthParams(string) map[string]string { return nil }

func refuse(w http.ResponseWriter) {
	http.Error(w, "the lab's Traefik is built without authentication", http.StatusUnauthorized)
}
