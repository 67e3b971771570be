server
{
	listen 443 ssl;
	listen [::]:443 ssl;
	server_name git.example.com code.example.com;
	ssl_certificate /etc/letsencrypt/live/git.example.com/fullchain.pem;
	ssl_certificate_key /etc/letsencrypt/live/git.example.com/privkey.pem;
	client_max_body_size 512m;
	location / { proxy_pass http://127.0.0.1:3002; include snippets/headers.conf; }
}
