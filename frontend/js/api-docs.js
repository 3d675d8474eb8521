// The interactive documentation: Swagger UI over this service's own description.
SwaggerUIBundle({ url: "/api/openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null })
