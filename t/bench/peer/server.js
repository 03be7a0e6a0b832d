// SPDX-License-Identifier: Apache-2.0
// Backstage's backend with the Kubernetes plug-in and nothing else, to be
// measured. usage: node server.js --config app-config.yaml
'use strict';

const { createBackend } = require('@backstage/backend-defaults');

const backend = createBackend();
backend.add(require('@backstage/plugin-kubernetes-backend').default);
backend.start().catch(error => {
  console.error(error);
  process.exit(1);
});
