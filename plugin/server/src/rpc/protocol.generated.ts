/** Made by plugin/scripts/make-protocol.js from server/proto; do not edit. */
export const protocol: object = {
  nested: {
    pluginv2: {
      nested: {
        AppInstanceSettings: {
          fields: {
            jsonData: { type: 'bytes', id: 3 },
            decryptedSecureJsonData: { keyType: 'string', type: 'string', id: 4 },
            lastUpdatedMS: { type: 'int64', id: 5 },
            apiVersion: { type: 'string', id: 6 },
          },
        },
        DataSourceInstanceSettings: {
          fields: {
            id: { type: 'int64', id: 1 },
            name: { type: 'string', id: 2 },
            url: { type: 'string', id: 3 },
            user: { type: 'string', id: 4 },
            database: { type: 'string', id: 5 },
            basicAuthEnabled: { type: 'bool', id: 6 },
            basicAuthUser: { type: 'string', id: 7 },
            jsonData: { type: 'bytes', id: 8 },
            decryptedSecureJsonData: { keyType: 'string', type: 'string', id: 9 },
            lastUpdatedMS: { type: 'int64', id: 10 },
            uid: { type: 'string', id: 11 },
            apiVersion: { type: 'string', id: 12 },
          },
        },
        User: {
          fields: {
            login: { type: 'string', id: 1 },
            name: { type: 'string', id: 2 },
            email: { type: 'string', id: 3 },
            role: { type: 'string', id: 4 },
          },
        },
        PluginContext: {
          fields: {
            orgId: { type: 'int64', id: 1 },
            pluginId: { type: 'string', id: 2 },
            user: { type: 'User', id: 3 },
            appInstanceSettings: { type: 'AppInstanceSettings', id: 4 },
            dataSourceInstanceSettings: { type: 'DataSourceInstanceSettings', id: 5 },
            grafanaConfig: { keyType: 'string', type: 'string', id: 6 },
            pluginVersion: { type: 'string', id: 7 },
            userAgent: { type: 'string', id: 8 },
            apiVersion: { type: 'string', id: 9 },
            namespace: { type: 'string', id: 10 },
          },
        },
        Data: { methods: { QueryData: { requestType: 'QueryDataRequest', responseType: 'QueryDataResponse' } } },
        TimeRange: { fields: { fromEpochMS: { type: 'int64', id: 1 }, toEpochMS: { type: 'int64', id: 2 } } },
        DataQuery: {
          fields: {
            refId: { type: 'string', id: 1 },
            maxDataPoints: { type: 'int64', id: 2 },
            intervalMS: { type: 'int64', id: 3 },
            timeRange: { type: 'TimeRange', id: 4 },
            json: { type: 'bytes', id: 5 },
            queryType: { type: 'string', id: 6 },
          },
        },
        QueryDataRequest: {
          fields: {
            pluginContext: { type: 'PluginContext', id: 1 },
            headers: { keyType: 'string', type: 'string', id: 2 },
            queries: { rule: 'repeated', type: 'DataQuery', id: 3 },
          },
        },
        DataResponse: {
          fields: {
            frames: { rule: 'repeated', type: 'bytes', id: 1 },
            error: { type: 'string', id: 2 },
            jsonMeta: { type: 'bytes', id: 3 },
            status: { type: 'int32', id: 4 },
            errorSource: { type: 'string', id: 5 },
          },
        },
        QueryDataResponse: { fields: { responses: { keyType: 'string', type: 'DataResponse', id: 1 } } },
        Diagnostics: {
          methods: {
            CheckHealth: { requestType: 'CheckHealthRequest', responseType: 'CheckHealthResponse' },
            CollectMetrics: { requestType: 'CollectMetricsRequest', responseType: 'CollectMetricsResponse' },
          },
        },
        CheckHealthRequest: {
          fields: {
            pluginContext: { type: 'PluginContext', id: 1 },
            headers: { keyType: 'string', type: 'string', id: 2 },
          },
        },
        CheckHealthResponse: {
          fields: {
            status: { type: 'HealthStatus', id: 1 },
            message: { type: 'string', id: 2 },
            jsonDetails: { type: 'bytes', id: 3 },
          },
          nested: { HealthStatus: { values: { UNKNOWN: 0, OK: 1, ERROR: 2 } } },
        },
        CollectMetricsRequest: { fields: { pluginContext: { type: 'PluginContext', id: 1 } } },
        CollectMetricsResponse: {
          fields: { metrics: { type: 'Payload', id: 1 } },
          nested: { Payload: { fields: { prometheus: { type: 'bytes', id: 1 } } } },
        },
        Resource: {
          methods: {
            CallResource: {
              requestType: 'CallResourceRequest',
              responseType: 'CallResourceResponse',
              responseStream: true,
            },
          },
        },
        StringList: { fields: { values: { rule: 'repeated', type: 'string', id: 1 } } },
        CallResourceRequest: {
          fields: {
            pluginContext: { type: 'PluginContext', id: 1 },
            path: { type: 'string', id: 2 },
            method: { type: 'string', id: 3 },
            url: { type: 'string', id: 4 },
            headers: { keyType: 'string', type: 'StringList', id: 5 },
            body: { type: 'bytes', id: 6 },
          },
        },
        CallResourceResponse: {
          fields: {
            code: { type: 'int32', id: 1 },
            headers: { keyType: 'string', type: 'StringList', id: 2 },
            body: { type: 'bytes', id: 3 },
          },
        },
        Stream: {
          methods: {
            SubscribeStream: { requestType: 'SubscribeStreamRequest', responseType: 'SubscribeStreamResponse' },
            PublishStream: { requestType: 'PublishStreamRequest', responseType: 'PublishStreamResponse' },
            RunStream: { requestType: 'RunStreamRequest', responseType: 'StreamPacket', responseStream: true },
          },
        },
        SubscribeStreamRequest: {
          fields: {
            pluginContext: { type: 'PluginContext', id: 1 },
            path: { type: 'string', id: 2 },
            data: { type: 'bytes', id: 3 },
            headers: { keyType: 'string', type: 'string', id: 4 },
          },
        },
        SubscribeStreamResponse: {
          fields: { status: { type: 'Status', id: 1 }, data: { type: 'bytes', id: 2 } },
          nested: { Status: { values: { OK: 0, NOT_FOUND: 1, PERMISSION_DENIED: 2 } } },
        },
        PublishStreamRequest: {
          fields: {
            pluginContext: { type: 'PluginContext', id: 1 },
            path: { type: 'string', id: 2 },
            data: { type: 'bytes', id: 3 },
            headers: { keyType: 'string', type: 'string', id: 4 },
          },
        },
        PublishStreamResponse: {
          fields: { status: { type: 'Status', id: 1 }, data: { type: 'bytes', id: 2 } },
          nested: { Status: { values: { OK: 0, NOT_FOUND: 1, PERMISSION_DENIED: 2 } } },
        },
        RunStreamRequest: {
          fields: {
            pluginContext: { type: 'PluginContext', id: 1 },
            path: { type: 'string', id: 2 },
            data: { type: 'bytes', id: 3 },
            headers: { keyType: 'string', type: 'string', id: 4 },
          },
        },
        StreamPacket: { fields: { data: { type: 'bytes', id: 1 } } },
      },
    },
    plugin: {
      nested: {
        Empty: { fields: {} },
        GRPCController: { methods: { Shutdown: { requestType: 'Empty', responseType: 'Empty' } } },
        ConnInfo: {
          fields: {
            service_id: { type: 'uint32', id: 1 },
            network: { type: 'string', id: 2 },
            address: { type: 'string', id: 3 },
            knock: { type: 'Knock', id: 4 },
          },
          nested: {
            Knock: {
              fields: {
                knock: { type: 'bool', id: 1 },
                ack: { type: 'bool', id: 2 },
                error: { type: 'string', id: 3 },
              },
            },
          },
        },
        GRPCBroker: {
          methods: {
            StartStream: {
              requestType: 'ConnInfo',
              requestStream: true,
              responseType: 'ConnInfo',
              responseStream: true,
            },
          },
        },
        StdioData: {
          fields: { channel: { type: 'Channel', id: 1 }, data: { type: 'bytes', id: 2 } },
          nested: { Channel: { values: { INVALID: 0, STDOUT: 1, STDERR: 2 } } },
        },
        GRPCStdio: {
          methods: { StreamStdio: { requestType: 'Empty', responseType: 'StdioData', responseStream: true } },
        },
      },
    },
    grpc: {
      nested: {
        health: {
          nested: {
            v1: {
              nested: {
                HealthCheckRequest: { fields: { service: { type: 'string', id: 1 } } },
                HealthCheckResponse: {
                  fields: { status: { type: 'ServingStatus', id: 1 } },
                  nested: { ServingStatus: { values: { UNKNOWN: 0, SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } } },
                },
                Health: {
                  methods: {
                    Check: { requestType: 'HealthCheckRequest', responseType: 'HealthCheckResponse' },
                    Watch: {
                      requestType: 'HealthCheckRequest',
                      responseType: 'HealthCheckResponse',
                      responseStream: true,
                    },
                  },
                },
              },
            },
          },
        },
      },
    },
  },
};
