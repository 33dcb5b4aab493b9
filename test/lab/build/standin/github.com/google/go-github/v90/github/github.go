// Package github has the part of github.com/google/go-github that Traefik calls to look for a
// newer version of itself, and finds none. The lab tells Traefik not to look.
package github

import (
	"context"
	"errors"
	"net/http"
)

// Client asks nobody.
type Client struct{ Repositories RepositoriesService }

// ClientOption has no effect.
type ClientOption struct{}

// WithURLs has no effect.
func WithURLs(_, _ *string) ClientOption { return ClientOption{} }

// NewClient returns a Client.
func NewClient(...ClientOption) (*Client, error) { return &Client{}, nil }

// RepositoriesService lists nothing.
type RepositoriesService struct{}

// RepositoryRelease is a release.
type RepositoryRelease struct{ TagName string }

// ListOptions has no effect.
type ListOptions struct{}

// Response is an answer.
type Response struct{ *http.Response }

// ListReleases fails.
func (RepositoriesService) ListReleases(context.Context, string, string, *ListOptions) ([]*RepositoryRelease, *Response, error) {
	return nil, nil, errors.New("the lab's Traefik is built without GitHub's client")
}
