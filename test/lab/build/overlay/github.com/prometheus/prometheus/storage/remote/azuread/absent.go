// Package azuread is absent: the lab's Prometheus writes to no other, and so not to Azure.
package azuread

import (
	"errors"
	"net/http"
)

// AzureADConfig has no fields: a configuration with one is refused.
type AzureADConfig struct{}

// NewAzureADRoundTripper fails.
func NewAzureADRoundTripper(*AzureADConfig, http.RoundTripper) (http.RoundTripper, error) {
	return nil, errors.New("the lab's Prometheus is built without azuread")
}
