// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Programs that are built as they are: they stand here so that `go mod tidy`
// keeps what they need.
package tools

import (
	_ "github.com/dexidp/dex/cmd/dex"
	_ "github.com/oauth2-proxy/oauth2-proxy/v7"
)
